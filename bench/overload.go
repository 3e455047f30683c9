package main

import "context"

func measureOverload(ctx context.Context, o *options, kind string) error { return nil }
func measureFlood(ctx context.Context, o *options, kind string) error    { return nil }
