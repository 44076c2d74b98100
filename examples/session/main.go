// Session is a small shop that shows package session: login with "remember me", a
// cart that a visitor fills and keeps when logging in, a list of devices, logout of
// this, another or all devices, and a page that requires a login within the last
// minute. Run it,
//
//	go run ./examples/session
//
// and open it in a browser or use curl. The account is alice, the password "correct
// horse".
//
//	curl -c jar -b jar -d item=tea http://localhost:8080/cart
//	curl -c jar -b jar -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -b jar http://localhost:8080/me
//	curl -b jar http://localhost:8080/
//	curl -b jar -X POST http://localhost:8080/logout-everywhere
//	curl -b jar http://localhost:8080/me
//
// The first "me" prints "hello, alice", the page after it has the tea, and the last
// "me" prints {"title":"Unauthorized","status":401}.
//
// The cookie is Secure. Safari does not keep such cookies from http://localhost: use
// -insecure there. The page and the log say so. With "-idle 1m" a session expires after a minute without use.
// Events of sessions are logged to standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on")
	insecure := flag.Bool("insecure", false, "set cookies without Secure, for Safari on http://localhost")
	idle := flag.Duration("idle", time.Hour, "how long a session lasts without use")
	flag.Parse()

	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	config := session.Config{
		// Sessions are kept here. To use another store, change only this line.
		Store:  &store.Memory{},
		Cookie: cookie.Session(),
		Limits: auth.Limits{IdleTimeout: *idle},
		Device: device,
		Events: logEvents(log),
	}
	if *insecure {
		config.Cookie = config.Cookie.Insecure()
	}
	sessions, err := session.New(config)
	if err == nil {
		err = serve(log, *addr, newShop(sessions).routes())
	}
	if err != nil {
		log.Error("the shop is closed", "error", err)
		os.Exit(1)
	}
}

// serve serves requests until the process is interrupted, and then completes those in
// progress.
func serve(log *slog.Logger, addr string, handler http.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           http.MaxBytesHandler(handler, 64<<10),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("listening", "url", "http://"+listener.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
