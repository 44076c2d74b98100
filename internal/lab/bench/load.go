package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// connections is how many connections load a server.
const connections = 16

// load sends requests to a server for some time, in a closed loop: each
// connection waits for a response before it sends the next request. It returns
// how long each took.
func load(ctx context.Context, to listening, d time.Duration) ([]time.Duration, error) {
	type outcome struct {
		times []time.Duration
		err   error
	}
	outcomes := make(chan outcome, connections)
	for i := range connections {
		go func() {
			times, err := oneLoad(ctx, to, d, i*len(to.Requests)/connections)
			outcomes <- outcome{times, err}
		}()
	}
	var all []time.Duration
	var errs []error
	for range connections {
		o := <-outcomes
		all, errs = append(all, o.times...), append(errs, o.err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// oneLoad is the load of one connection. It begins with the user first.
func oneLoad(ctx context.Context, to listening, d time.Duration, first int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", to.Address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	times := make([]time.Duration, 0, 4096)
	responses, now := bufio.NewReader(conn), time.Now()
	end := now.Add(d)
	conn.SetDeadline(end.Add(10 * time.Second))
	for n := first; now.Before(end) && ctx.Err() == nil; n++ {
		if _, err := conn.Write(to.Requests[n%len(to.Requests)]); err != nil {
			return nil, err
		}
		if err := readResponse(responses, to.Body); err != nil {
			return nil, err
		}
		start := now
		now = time.Now()
		times = append(times, now.Sub(start))
	}
	return times, ctx.Err()
}

// readResponse reads a response whose body begins with a text. It is cheaper
// than the client of net/http, which would measure itself.
func readResponse(r *bufio.Reader, body string) error {
	status, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
		if text, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(text))); err != nil {
				return err
			}
		}
	}
	got, err := r.Peek(length)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(got, []byte(body)) || length == 0 {
		return fmt.Errorf("the server responded with %q, and %q", status, got)
	}
	_, err = r.Discard(length)
	return err
}
