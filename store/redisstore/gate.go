package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// A gate ends calls with their context, and after timeout at the latest.
//
// The client does so too, except while it connects and while the queue of a
// connection is full: then it ignores the context. So a call runs on the
// caller's goroutine only while the gate is calm: every connection is
// established, its queue has room, and no call has recently failed to get a
// response. Any other call runs on a goroutine of its own, which the caller can
// abandon.
//
// The zero gate is never calm. It is for a client of the service, whose queue
// and connections it does not know.
type gate struct {
	settle time.Duration // how long after a disturbance the gate is calm again; 0: never

	calls     atomic.Int64 // calls in progress in the client
	calm      atomic.Bool
	mu        sync.Mutex
	disturbed time.Time // the last time
	deadlines sync.Pool
}

// maxDirect is half the capacity of the queue of a connection.
const maxDirect = 512

// newGate returns a gate that observes the connections which a client makes
// with option.
func newGate(option *rueidis.ClientOption) *gate {
	g := &gate{}
	if option.Dialer.KeepAlive == 0 {
		option.Dialer.KeepAlive = time.Second
	}
	if option.Dialer.KeepAlive > 0 { // after this time no queue holds calls to a silent server
		g.settle = 2*option.Dialer.KeepAlive + option.ConnWriteTimeout + time.Second
	}
	option.PipelineMultiplex = -1 // one connection for each server, made when the store is opened
	dial := *option
	option.DialCtxFn = func(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		g.disturb()
		conn, err := connect(ctx, addr, dialer, config, &dial)
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: conn, gate: g, stop: context.AfterFunc(ctx, func() { conn.Close() })}, nil
	}
	return g
}

// connect dials as the client does without our DialCtxFn.
func connect(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config, option *rueidis.ClientOption) (net.Conn, error) {
	switch {
	case option.DialCtxFn != nil:
		return option.DialCtxFn(ctx, addr, dialer, config)
	case option.DialFn != nil:
		return option.DialFn(addr, dialer, config)
	case config != nil:
		return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", addr)
	}
	return dialer.DialContext(ctx, "tcp", addr)
}

// A watchedConn reports to its gate when it breaks. Until the first bytes of
// the server arrive, it is closed when the context of the call that made it
// ends.
type watchedConn struct {
	net.Conn
	gate *gate
	stop func() bool // nil after the first bytes
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
	if err != nil {
		c.gate.disturb()
	}
	return n, err
}

// disturb records a disturbance: a new or broken connection, or a call without
// a response.
func (g *gate) disturb() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.disturbed = time.Now()
	g.calm.Store(false)
}

// opened records that the connections are established and that the servers
// respond.
func (g *gate) opened() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calm.Store(g.settle > 0)
}

// responded records that a server has responded.
func (g *gate) responded() {
	if g.settle == 0 || g.calm.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.disturbed) > g.settle {
		g.calm.Store(true)
	}
}

// within runs a call. If the call fails after the context has ended, within
// returns the context's error.
func within[T any](ctx context.Context, g *gate, call func(context.Context) (T, error)) (value T, err error) {
	if err := contextError(ctx); err != nil {
		return value, err
	}
	d := g.begin(ctx)
	if g.calls.Add(1) <= maxDirect && g.calm.Load() {
		value, err = call(d)
		g.calls.Add(-1)
	} else {
		value, err = runAsync(d, g, call)
	}
	if isResponse(err) {
		g.responded()
		g.reuse(d)
		return value, err
	}
	d.release()
	g.disturb()
	var none T
	return none, outcome(ctx, d, err)
}

// runAsync runs a call on a goroutine of its own, and abandons the goroutine when
// the context ends.
func runAsync[T any](ctx context.Context, g *gate, call func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		defer g.calls.Add(-1)
		value, err := call(ctx)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}

// isResponse reports whether the server has responded, possibly with an error.
func isResponse(err error) bool {
	if err == nil || err == errForeign {
		return true
	}
	_, ok := rueidis.IsRedisErr(err)
	return ok
}

// outcome returns the reason for a call without a response. A deadline can
// close the connection an instant before the context ends. If connecting failed
// because the context of another call ended, that context's error is not
// reported.
func outcome(ctx context.Context, d *deadline, err error) error {
	for _, ctx := range []context.Context{ctx, d} {
		if cause := contextError(ctx); cause != nil {
			return fmt.Errorf("no response: %w", cause)
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no connection: the call that was connecting has ended")
	}
	return err
}

// contextError returns why ctx has ended, or nil. It also reports a deadline
// that has passed before its timer has fired.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return nil
}
