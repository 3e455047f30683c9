//go:build programs

package main

import (
	"fmt"
	"strings"
	"time"
)

// row is one kind of request, and what each asker measured; a zero result was not measured.
type row struct {
	name    string
	results []result
}

var databaseNames = map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}

// printResults prints a table for each asker, and one that compares them with the first.
func printResults(db string, askers []*asker, rows []row) {
	for i, a := range askers { // their rounds took turns
		fmt.Printf("\n%s, %s patients, an account that owns %s:\n\n", databaseNames[db], thousands(a.patients), thousands(a.owns))
		table := [][]string{{"request", "p50 ms", "p95 ms", "p99 ms", "requests/s", "server CPU µs"}}
		for _, r := range rows {
			m := r.results[i]
			if m.perSecond == 0 {
				continue
			}
			table = append(table, []string{r.name, millis(m.p50), millis(m.p95), millis(m.p99), fmt.Sprintf("%.0f", m.perSecond),
				fmt.Sprintf("%.0f", float64(m.cpu)/float64(time.Microsecond))})
		}
		printTable(table)
	}
	if len(askers) < 2 {
		return
	}
	fmt.Printf("\n%s, p50 in relation to the account that owns %s of %s:\n\n", databaseNames[db],
		thousands(askers[0].owns), thousands(askers[0].patients))
	head := []string{"request"}
	for _, a := range askers[1:] {
		head = append(head, thousands(a.owns)+" of "+thousands(a.patients))
	}
	table := [][]string{head}
	for _, r := range rows {
		line := []string{r.name}
		for i := range askers[1:] {
			ratio := "–"
			if m := r.results[i+1]; m.perSecond > 0 {
				ratio = fmt.Sprintf("%.2f", float64(m.p50)/float64(r.results[0].p50))
			}
			line = append(line, ratio)
		}
		table = append(table, line)
	}
	printTable(table)
}

// printServers prints what the servers took in all.
func printServers(db string, sites []*site, foreign float64) {
	fmt.Printf("\n%s, the servers (others used %.0f %% of the machine meanwhile):\n\n", databaseNames[db], foreign*100)
	table := [][]string{{"patients", "peak memory MiB", "start-up ms"}}
	for _, s := range sites {
		table = append(table, []string{thousands(s.patients), fmt.Sprintf("%.0f", peakMemory(s.server.pid())), fmt.Sprintf("%.0f", medianOf(s.startUps).Seconds()*1000)})
	}
	printTable(table)
}

// printTable prints rows as Markdown, the first as the head, numbers to the right.
func printTable(rows [][]string) {
	fmt.Printf("| %s |\n|---|%s\n", strings.Join(rows[0], " | "), strings.Repeat("---:|", len(rows[0])-1))
	for _, r := range rows[1:] {
		fmt.Printf("| %s |\n", strings.Join(r, " | "))
	}
}

func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms >= 100 {
		return fmt.Sprintf("%.0f", ms)
	}
	return fmt.Sprintf("%.3g", ms)
}
