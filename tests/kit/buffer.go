package kit

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Buffer collects text, and can be read while others write.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to the text.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is the text until now.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Lines are the lines of the text, as soon as there are so many: an answer may arrive before its line is logged.
func (b *Buffer) Lines(t testing.TB, n int) []string {
	t.Helper()
	split := func() []string { return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") }
	require.Eventually(t, func() bool { return strings.Count(b.String(), "\n") >= n }, WaitLimit, time.Millisecond)
	require.Len(t, split(), n)
	return split()
}

// Absent asserts that a text holds none of these.
func Absent(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		assert.NotContains(t, text, w)
	}
}
