package backup

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FAT, and some network drives, answer so to every link.
func noLinks(from, to string) error {
	return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
}

func TestABackupAppearsWholeAndReplacesNothingWithLinksAndWithout(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(string, string) error{"links": os.Link, "no links": noLinks} {
		dir := t.TempDir()
		packed, file := filepath.Join(dir, "packed"), filepath.Join(dir, "backup.zip")
		require.NoError(t, os.WriteFile(packed, []byte("whole"), 0o600))
		require.NoError(t, publish(packed, file, link), name)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, "whole", string(content), name)
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode(), name)

		require.NoError(t, os.RemoveAll(packed)) // it may be the same file by now
		require.NoError(t, os.WriteFile(packed, []byte("another"), 0o600))
		require.ErrorIs(t, publish(packed, file, link), os.ErrExist, name)
		content, err = os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, "whole", string(content), name)

		missing := filepath.Join(dir, "missing.zip")
		require.ErrorIs(t, publish(missing+".packed", missing, link), os.ErrNotExist, name)
		assert.NoFileExists(t, missing, name)
	}
}

// Of two that are finished at the same moment, one gets the name.
func TestOfTwoBackupsAtOnceOneGetsTheName(t *testing.T) {
	t.Parallel()
	for range 50 {
		dir := t.TempDir()
		file := filepath.Join(dir, "backup.zip")
		results := make(chan error)
		for _, name := range []string{"a", "b"} {
			packed := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(packed, []byte(name), 0o600))
			go func() { results <- publish(packed, file, noLinks) }()
		}
		first, second := <-results, <-results
		require.True(t, first == nil != (second == nil))
		require.ErrorIs(t, errors.Join(first, second), os.ErrExist)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Len(t, content, 1)
	}
}
