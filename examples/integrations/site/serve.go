package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// serve serves requests until ctx ends, and then completes those in progress.
func (s *site) serve(ctx context.Context, listener net.Listener, db sweeper) error {
	server := &http.Server{
		Handler:           bounded(http.MaxBytesHandler(s.routes(), 64<<10)),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	upkeep := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(upkeep)
		s.upkeep(ctx, db)
	}()
	defer func() { stop(); <-upkeep }()

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	s.log.Info("listening on http://" + listener.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// A login, a logout or a change of password may take 5 seconds after a client has
	// disconnected.
	ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// bounded gives a request 10 seconds to wait for its turn to hash a password, and for the
// database. Then it is a 503.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// upkeep does what no request does, at the start and then each minute, until ctx ends:
// it revokes logins whose revocation was interrupted, and deletes expired records, which
// these databases keep otherwise. Several processes may do so at once. Alert if one of the
// two fails for an hour.
func (s *site) upkeep(ctx context.Context, db sweeper) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		if err := s.revokeAllDue(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("logins by replaced passwords are not revoked yet", "error", err)
		}
		if _, err := db.DeleteExpired(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("expired records are not deleted", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-minute.C:
		}
	}
}
