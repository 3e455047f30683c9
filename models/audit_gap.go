package models

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
)

// gap is a range of event ids that had no row when the ids after them had one. On PostgreSQL a transaction that took its
// ids first may commit last, and then its events are in the gap. Most gaps stay empty: those transactions failed.
// (On SQLite there are none: it has one writer at a time.)
//
// A gap is open until every transaction has ended that may have been running when it was first missed. A transaction has
// no number before it writes its first row. So for freshGap the gap is only waited for, with the time when it was
// missed, as a negative number of seconds; then since becomes the number of the next transaction that will begin, and the
// gap is closed when all transactions below it have ended. So neither a long transaction nor a large gap stops the sealer.
type gap struct{ first, last, since int64 }

const (
	freshGap = 10 * time.Second
	// mostGaps is how many gaps are remembered. If there are more (failures by the thousand while one transaction goes on
	// and on), the oldest are given up: if an event is stored in one of them after all, VerifyAudit tells.
	mostGaps = 5000
)

// gapsOf are the gaps that a seal left open.
func gapsOf(s Seal) []gap {
	var gaps []gap
	for g := range slices.Chunk(s.Gaps, 3) {
		gaps = append(gaps, gap{g[0], g[1], g[2]})
	}
	for _, id := range s.Pending {
		gaps = append(gaps, gap{id, id, -s.At.Unix()})
	}
	return gaps
}

// flat is how a seal keeps gaps: three numbers for each.
func flat(gaps []gap) IDs {
	ids := IDs{}
	for _, g := range gaps[max(0, len(gaps)-mostGaps):] {
		ids = append(ids, g.first, g.last, g.since)
	}
	return ids
}

// without takes an id out of the gap that it is in.
func without(gaps []gap, id int64) []gap {
	for i, g := range gaps {
		if id < g.first || id > g.last {
			continue
		}
		var rest []gap
		if g.first < id {
			rest = append(rest, gap{g.first, id - 1, g.since})
		}
		if id < g.last {
			rest = append(rest, gap{id + 1, g.last, g.since})
		}
		return slices.Replace(slices.Clone(gaps), i, i+1, rest...)
	}
	return gaps
}

// holds tells whether an id is in one of the gaps.
func holds(gaps []gap, id int64) bool {
	return slices.ContainsFunc(gaps, func(g gap) bool { return g.first <= id && id <= g.last })
}

// openGaps are those of the gaps that are still open at a time.
func openGaps(q *gorm.DB, at time.Time, gaps []gap) ([]gap, error) {
	if len(gaps) == 0 || q.Name() != "postgres" {
		return nil, nil
	}
	var running struct{ Oldest, Next int64 } // numbers of transactions
	err := q.Raw("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next").
		Scan(&running).Error
	var open []gap
	for _, g := range gaps {
		switch {
		case g.since >= 0 && g.since <= running.Oldest:
			continue
		case g.since < 0 && at.Sub(time.Unix(-g.since, 0)) > freshGap:
			g.since = running.Next
		}
		open = append(open, g)
	}
	return open, err
}

// lateEvents finds the events that have come into the gaps. The gaps are two parameters, however many there are, and each
// is looked up in the index by itself (the LIMIT sees to that).
func lateEvents(q *gorm.DB, gaps []gap) (late []Event, err error) {
	if len(gaps) == 0 || q.Name() != "postgres" {
		return nil, nil
	}
	firsts, lasts := array(gaps, func(g gap) int64 { return g.first }), array(gaps, func(g gap) int64 { return g.last })
	return late, q.Raw("SELECT late.* FROM unnest(?::bigint[], ?::bigint[]) AS gap(first, last)"+
		" CROSS JOIN LATERAL (SELECT * FROM events WHERE id BETWEEN gap.first AND gap.last ORDER BY id LIMIT ?) AS late ORDER BY late.id LIMIT ?",
		firsts, lasts, sealBatch/2, sealBatch/2).Find(&late).Error
}

// array spells an array of PostgreSQL's.
func array(gaps []gap, of func(gap) int64) string {
	texts := make([]string, len(gaps))
	for i, g := range gaps {
		texts[i] = strconv.FormatInt(of(g), 10)
	}
	return "{" + strings.Join(texts, ",") + "}"
}
