package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// replay runs a dump on a connection that is ours, so that it is part of our transaction: pg_restore connects to
// nothing here, it only turns the dump into a script.
func replay(ctx context.Context, conn *pgconn.PgConn, data string) error {
	path, err := findTool("pg_restore")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--file=-", "--no-owner", "--no-privileges", data)
	var says bytes.Buffer
	cmd.Stderr = &says
	script, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = runScript(ctx, conn, bufio.NewReader(script))
	if err != nil {
		cancel() // pg_restore would wait for ever to be read
	}
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	if err != nil {
		return fmt.Errorf("pg_restore: %w %s", err, strings.TrimSpace(says.String()))
	}
	return nil
}

// runScript understands of psql's language what pg_restore writes: SQL, the rows of a table after its COPY, up to a
// line of \., and \restrict, which keeps psql from obeying the other commands that begin with a backslash.
func runScript(ctx context.Context, conn *pgconn.PgConn, script *bufio.Reader) error {
	var statements strings.Builder
	for {
		line, err := script.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		isCopy := strings.HasPrefix(line, "COPY ") && strings.HasSuffix(line, " FROM stdin;\n")
		switch {
		case isCopy, strings.HasPrefix(line, `\restrict `), strings.HasPrefix(line, `\unrestrict `):
		default:
			statements.WriteString(line)
		}
		if isCopy || err != nil {
			if _, err := conn.Exec(ctx, statements.String()).ReadAll(); err != nil {
				return err
			}
			statements.Reset()
		}
		if err != nil {
			return nil //nolint:nilerr // the end
		}
		if isCopy {
			if _, err := conn.CopyFrom(ctx, &copyRows{script: script}, line); err != nil {
				return err
			}
		}
	}
}

// copyRows reads the rows of one table.
type copyRows struct {
	script *bufio.Reader
	line   []byte // what is left of the current one
	inLine bool   // the current one goes on in the script
}

func (r *copyRows) Read(p []byte) (int, error) {
	if len(r.line) == 0 {
		line, err := r.script.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return 0, io.ErrUnexpectedEOF // it lacks its end
		}
		if !r.inLine && string(line) == "\\.\n" {
			return 0, io.EOF
		}
		r.line, r.inLine = line, err != nil
	}
	n := copy(p, r.line)
	r.line = r.line[n:]
	return n, nil
}
