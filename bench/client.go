//go:build programs

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// request is one HTTP request, written out in advance so that a loop that repeats it spends its time on the server.
type request struct {
	wire   []byte
	status int // that the answer must have
	name   string
}

// newRequest puts a request together. An empty token sends none, a nil body neither.
func newRequest(method, path, token string, body []byte, status int) request {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path)
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return request{b.Bytes(), status, method + " " + path}
}

// answer is what came back. Its body is valid until the connection is used again.
type answer struct {
	status     int
	retryAfter bool
	body       []byte
}

// client is one keep-alive connection. It understands as much of HTTP/1.1 as Go's server speaks; net/http's own
// client would take as much of the machine as the server that is measured.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

// answerLimit is how long an answer may take. The server's own limit is shorter.
const answerLimit = time.Minute

func dial(ctx context.Context, address string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 32<<10)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// do sends a request and reads the whole answer.
func (c *client) do(r request) (answer, error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return answer{}, err
	}
	if _, err := c.conn.Write(r.wire); err != nil {
		return answer{}, err
	}
	return c.read()
}

// must is do for a request whose answer must have its status.
func (c *client) must(r request) (answer, error) {
	a, err := c.do(r)
	if err == nil && a.status != r.status {
		err = fmt.Errorf("%d instead of %d: %.300s", a.status, r.status, a.body)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", r.name, err)
	}
	return a, err
}

func (c *client) read() (answer, error) {
	line, err := c.line()
	if err != nil {
		return answer{}, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return answer{}, fmt.Errorf("no HTTP answer: %.80q", line)
	}
	var a answer
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, err
	}
	length := 0
	for {
		if line, err = c.line(); err != nil {
			return a, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) {
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return a, err
			}
		case "Transfer-Encoding":
			length = -1
		case "Retry-After":
			a.retryAfter = len(value) > 0
		}
	}
	c.body = c.body[:0]
	if length < 0 {
		err = c.chunks()
	} else {
		err = c.more(length)
	}
	a.body = c.body
	return a, err
}

// line reads up to the end of a line, which is left out.
func (c *client) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// more appends n bytes to the body.
func (c *client) more(n int) error {
	start := len(c.body)
	for cap(c.body) < start+n {
		c.body = append(c.body[:cap(c.body)], 0)
	}
	c.body = c.body[:start+n]
	_, err := io.ReadFull(c.in, c.body[start:])
	return err
}

func (c *client) chunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return err
		}
		if err := c.more(int(n)); err != nil {
			return err
		}
		if end, err := c.line(); err != nil || len(end) > 0 {
			return errors.Join(errors.New("a chunk does not end where it says"), err)
		}
		if n == 0 {
			return nil
		}
	}
}
