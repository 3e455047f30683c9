package main

import (
	"context"
	"errors"
)

func measure(ctx context.Context, o *options, kind string) (err error) {
	for _, n := range o.sizes {
		s, err := openSite(ctx, o, kind, n)
		if err != nil {
			return err
		}
		logf("start-ups %v", s.startUps)
		defer func() { err = errors.Join(err, s.close(o)) }()
	}
	return nil
}
func measureOverload(ctx context.Context, o *options, kind string) error { return nil }
func measureFlood(ctx context.Context, o *options, kind string) error    { return nil }
