// Otel is a service that reports authentication events to OpenTelemetry: as a counter, and
// as an event on the span of the request, so that a trace shows why a request was
// refused. It writes both to standard output; to use another exporter, change one line
// for each.
//
//	go -C examples/integrations run ./otel
//	curl -c jar -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -b jar http://localhost:8080/reports
//	curl -d user=alice -d 'password=battery staple' http://localhost:8080/login
//	curl -H 'Authorization: Bearer made.up.token' http://localhost:8080/me
//
// Any user name is accepted with the password "correct horse". Spans are written at once,
// counters every ten seconds and after an interrupt.
package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, port 0 for any")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr string) error {
	spans, err := stdouttrace.New()
	if err != nil {
		return err
	}
	counts, err := stdoutmetric.New()
	if err != nil {
		return err
	}
	traces := trace.NewTracerProvider(trace.WithSyncer(spans))
	metrics := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(counts, metric.WithInterval(10*time.Second))))
	defer traces.Shutdown(context.WithoutCancel(ctx))
	defer metrics.Shutdown(context.WithoutCancel(ctx))
	handler, err := newService(traces, metrics, &store.Memory{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	log.Printf("listening on http://%s", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newService has both modes behind one guard. One hook receives all events.
func newService(traces *trace.TracerProvider, metrics *metric.MeterProvider, s store.Store) (http.Handler, error) {
	events, err := reportTo(metrics)
	if err != nil {
		return nil, err
	}
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(session.Config{Store: s, Events: events})
	if err != nil {
		return nil, err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: s, Events: events,
		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "otel",
	})
	if err != nil {
		return nil, err
	}
	guard := &middleware.Guard{Authenticator: middleware.AnyOf(sessions, issuer), Events: events}
	limiter, err := throttle.New(throttle.Config{Store: s, Events: events})
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", login(sessions, limiter))
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Logout(w, r); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.HandleFunc("POST /token/login", login(issuer, limiter))
	mux.Handle("POST /token/refresh", issuer.RefreshHandler())
	mux.Handle("POST /token/logout", issuer.LogoutHandler())
	mux.Handle("GET /me", guard.Require(http.HandlerFunc(me)))
	mux.Handle("GET /reports", guard.RequireScope("reports:read")(http.HandlerFunc(me)))
	// The span of a request starts outside of the guard, so that it has the events of the
	// guard. Its name is the route, because clients can invent paths.
	return otelhttp.NewHandler(mux, "auth",
		otelhttp.WithTracerProvider(traces), otelhttp.WithMeterProvider(metrics)), nil
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

// mode is one of the two modes: both log in the same identity.
type mode interface {
	Login(http.ResponseWriter, *http.Request, auth.Identity) error
}

func login(m mode, limiter *throttle.Limiter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		err := limiter.Try(w, r, user, func() error {
			if !isPassword(user, r.PostFormValue("password")) {
				return auth.ErrUnauthenticated
			}
			return nil
		})
		if err == nil {
			err = m.Login(w, r, auth.Identity{Subject: user, Methods: "pwd"})
		}
		if err != nil {
			middleware.Deny(w, r, err)
		}
	}
}

// isPassword is a STUB in which all users have one password. Replace it by a lookup of
// users and hashes.
func isPassword(user, password string) bool {
	return user != "" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
}
