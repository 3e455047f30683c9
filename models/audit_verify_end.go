package models

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// end looks at what no seal covers, and at what the chain should have had in it.
func (v *verification) end(noted string) error {
	if v.key.id != v.db.auditKeys[0].id {
		return v.db.keyError(v.key.id, true)
	}
	var all int64
	if err := v.q.Model(&Event{}).Count(&all).Error; err != nil {
		return err
	}
	late, err := lateEvents(v.q, gapsOf(v.last))
	if err != nil {
		return err
	}
	newer := func() *gorm.DB { return v.q.Model(&Event{}).Where("id > ?", v.last.LastID) }
	if err := newer().Count(&v.report.Unsealed).Error; err != nil {
		return err
	}
	v.report.Unsealed += int64(len(late))
	if extra := all - v.report.Unsealed - v.report.Events; extra > 0 {
		return fmt.Errorf("%d events were put in after their time", extra)
	}
	if err := errors.Join(v.removed(all), v.archives.untold()); err != nil {
		return err
	}
	for mac, found := range v.noted {
		if !found && mac == noted {
			return fmt.Errorf("the seal %s is not part of the chain: its end was cut off, or all of it replaced", mac)
		}
		if !found {
			return fmt.Errorf("the newest seal that the server remembers in %s is not part of the chain: its end was cut off, or all of it replaced", v.db.end.file)
		}
	}
	var oldest []Event
	if err := newer().Order("at").Limit(1).Find(&oldest).Error; err != nil {
		return err
	}
	for _, e := range append(late, oldest...) {
		if now().Sub(e.At) > sealedWithin {
			v.old = append(v.old, fmt.Sprintf("event %d of %s is not sealed yet (does a server run?)", e.ID, e.At.Format(time.RFC3339)))
		}
	}
	if len(v.old) > 0 {
		return &AuditDoubtsError{v.old}
	}
	return nil
}

// AuditDoubtsError is the error of a chain that holds, with events that are older than they should be.
type AuditDoubtsError struct{ Events []string }

func (d *AuditDoubtsError) Error() string {
	shown := d.Events[:min(len(d.Events), 10)]
	return fmt.Sprintf("%d events are older than they should be:\n  %s", len(d.Events), strings.Join(shown, "\n  "))
}
