//go:build programs

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// slowClients is how many connections send a byte a second.
const slowClients = 200

// measureSlowClients compares a normal load with and without clients that take for ever to send their requests.
func (a *asker) measureSlowClients(ctx context.Context, o *options, db string) error {
	k := kindNamed("one patient")
	quiet, err := a.run(ctx, k, o.conns, o.seconds)
	if err != nil {
		return err
	}
	slow, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	for i := range slowClients {
		wait.Go(func() { a.crawl(slow, i) })
	}
	select { // until all of them hang on
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	beside, err := a.run(ctx, k, o.conns, o.seconds)
	stop()
	wait.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("\n%s, %s, while %d other clients send a byte a second:\n\n", databaseNames[db], k.name, slowClients)
	printTable([][]string{
		{"", "p50 ms", "p99 ms", "requests/s"},
		{"without them", millis(quiet.p50), millis(quiet.p99), fmt.Sprintf("%.0f", quiet.perSecond)},
		{"with them", millis(beside.p50), millis(beside.p99), fmt.Sprintf("%.0f", beside.perSecond)},
	})
	return nil
}

// crawl sends requests a byte a second, and connects again when the server has enough of it. Every other one sends
// its headers at once and only its body so.
func (a *asker) crawl(ctx context.Context, number int) {
	head := "POST /api/patients/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n" +
		"Authorization: Bearer " + a.token + "\r\n\r\n"
	body := `{"name": "` + strings.Repeat("a", 1000)
	for ctx.Err() == nil {
		c, err := dial(ctx, a.server.address)
		if err != nil {
			return
		}
		slow := []byte(head + body)
		if number%2 == 0 {
			_, err = c.conn.Write(slow[:len(head)])
			slow = slow[len(head):]
		}
		for second := time.NewTicker(time.Second); err == nil && len(slow) > 0; slow = slow[1:] {
			_, err = c.conn.Write(slow[:1])
			select {
			case <-second.C:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		c.close()
	}
}
