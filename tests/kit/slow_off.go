//go:build !slow

package kit

// Slow tells whether the slow tests run, too: go test -tags slow ./...
const Slow = false
