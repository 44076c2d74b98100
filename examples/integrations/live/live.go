package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

// live has the handlers of open connections. A guard has authenticated their requests.
type live struct{ sessions *session.Manager }

// loginEnded is the close code of a WebSocket whose login has ended. Codes from 4000 are
// for applications; this one is like the status 401.
const loginEnded websocket.StatusCode = 4401

// events sends the time each second. When the login ends, it sends the event
// "login-ended": without it, the browser would connect again.
func (l *live) events(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	ctx, stop := l.sessions.Watch(r.Context(), id)
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	every(ctx, func(now string) error {
		fmt.Fprintf(w, "data: %s\n\n", now)
		return http.NewResponseController(w).Flush()
	})
	if ended(ctx) {
		fmt.Fprint(w, "event: login-ended\ndata:\n\n")
	}
}

// socket does the same over a WebSocket.
func (l *live) socket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil) // for pages of this host only
	if err != nil {
		return
	}
	defer conn.CloseNow()
	id, _ := auth.FromContext(r.Context())
	// The connection has a context of its own: the end of the watched one would cut it off,
	// without a close code.
	open := conn.CloseRead(r.Context())
	ctx, stop := l.sessions.Watch(open, id)
	defer stop()
	every(ctx, func(now string) error { return conn.Write(open, websocket.MessageText, []byte(now)) })
	if ended(ctx) {
		conn.Close(loginEnded, "the login has ended")
	}
}

// every calls send with the time each second, until ctx ends or send fails.
func every(ctx context.Context, send func(now string) error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if send(time.Now().Format(time.TimeOnly)) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// ended reports whether ctx has ended because the login has. Otherwise the client is gone.
func ended(ctx context.Context) bool { return errors.Is(context.Cause(ctx), auth.ErrUnauthenticated) }
