//go:build programs

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// attacker sends requests that were written out in advance, so that it takes little of the machine.
type attacker struct {
	*site
	address string // the server's
	tally   *tally
}

// wire is a request as it goes over the line. The body may be shorter than it is said to be.
func wire(method, path, token string, body []byte, length int, headers string) []byte {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", method, path, headers)
	if token != "" {
		head += "Authorization: Bearer " + token + "\r\n"
	}
	if length > 0 {
		head += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", length)
	}
	return append([]byte(head+"\r\n"), body...)
}

func get(path, token string) []byte { return wire("GET", path, token, nil, 0, "") }

func send(method, path, token string, body object) []byte {
	text, _ := json.Marshal(body) // of strings
	return wire(method, path, token, text, len(text), "")
}

// dial connects from one of the many addresses of loopback, and hangs up when the context ends.
func (a *attacker) dial(ctx context.Context, from int) (net.Conn, func(), error) {
	local, err := net.ResolveTCPAddr("tcp4", fmt.Sprintf("127.1.%d.%d:0", from/250, 1+from%250))
	if err != nil {
		return nil, nil, err
	}
	conn, err := (&net.Dialer{LocalAddr: local}).DialContext(ctx, "tcp4", a.address)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, func() { stop(); _ = conn.Close() }, nil
}

// status reads as much of an answer as says its status, and no more.
func status(conn net.Conn) (int, error) {
	var head [12]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return 0, err
	}
	return strconv.Atoi(string(head[9:]))
}

// miss counts a request without an answer.
func (a *attacker) miss(ctx context.Context) {
	if ctx.Err() != nil {
		a.tally.add(stillSilent, 0)
	} else {
		a.tally.add(unanswered, 0)
	}
}

// once sends a request and waits for its status.
func (a *attacker) once(ctx context.Context, from int, request []byte) int {
	began := time.Now()
	conn, hangUp, err := a.dial(ctx, from)
	if err != nil {
		a.miss(ctx)
		return 0
	}
	defer hangUp()
	_, _ = conn.Write(request) // an answer may come before all of it is sent
	got, err := status(conn)
	if err != nil {
		a.tally.add(unanswered, time.Since(began))
		return 0
	}
	a.tally.add(strconv.Itoa(got), time.Since(began))
	return got
}

// hold sends a request and never reads its answer, but for the status: while it is a success, or there is none yet, the
// connection stays as it is. Who is refused tries again.
func (a *attacker) hold(ctx context.Context, from int, request []byte) {
	for ctx.Err() == nil {
		conn, hangUp, err := a.dial(ctx, from)
		if err != nil {
			a.miss(ctx)
			return
		}
		if t, ok := conn.(*net.TCPConn); ok {
			_ = t.SetReadBuffer(4 << 10)
		}
		_, _ = conn.Write(request)
		got, err := status(conn)
		if err != nil {
			a.miss(ctx)
		} else {
			a.tally.add(strconv.Itoa(got), 0)
		}
		if err == nil && got < 300 {
			<-ctx.Done()
		}
		hangUp()
		pause(ctx, 500*time.Millisecond)
	}
}

// loop sends its requests in turn over one connection, each when the one before was answered. Who is refused waits.
func (a *attacker) loop(ctx context.Context, from int, refused time.Duration, requests ...[]byte) {
	for ctx.Err() == nil {
		conn, hangUp, err := a.dial(ctx, from)
		if err != nil {
			a.miss(ctx)
			return
		}
		in := bufio.NewReader(conn)
		for n := 0; err == nil; n++ {
			err = a.exchange(conn, in, requests[n%len(requests)], func() { pause(ctx, refused) })
		}
		a.miss(ctx)
		hangUp()
	}
}

func (a *attacker) exchange(conn net.Conn, in *bufio.Reader, request []byte, refused func()) error {
	began := time.Now()
	if _, err := conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if err != nil {
		return err
	}
	a.tally.add(end(res.StatusCode, res.Header.Get("Retry-After") != ""), time.Since(began))
	if res.StatusCode >= 300 {
		refused()
	}
	return nil
}
