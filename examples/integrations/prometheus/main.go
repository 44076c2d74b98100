// Prometheus is a service that exports counters of authentication events to Prometheus.
// The counters have a separate address, because they are not for users of the service.
//
//	go -C examples/integrations run ./prometheus
//	curl -c jar -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -b jar http://localhost:8080/reports
//	curl -d user=alice -d 'password=battery staple' http://localhost:8080/login
//	curl -H 'Authorization: Bearer made.up.token' http://localhost:8080/me
//	curl http://localhost:9090/metrics
//
// Any user name is accepted with the password "correct horse".
package main

import (
	"crypto/subtle"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, port 0 for any")
	metrics := flag.String("metrics", "localhost:9090", "`host:port` to be scraped at, port 0 for any")
	flag.Parse()
	log.Fatal(run(*addr, *metrics))
}

func run(addr, metrics string) error {
	registry := prometheus.NewRegistry()
	service, err := newService(registry, &store.Memory{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	scraped, err := net.Listen("tcp", metrics)
	if err != nil {
		return err
	}
	log.Printf("listening on http://%s, scraped at http://%s/metrics", listener.Addr(), scraped.Addr())
	ended := make(chan error, 1)
	serve := func(listener net.Listener, handler http.Handler) {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
		ended <- server.Serve(listener)
	}
	go serve(listener, service)
	go serve(scraped, newMetrics(registry))
	return <-ended
}

func newMetrics(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

// newService has both modes behind one guard. One hook receives all events.
func newService(registry prometheus.Registerer, s store.Store) (http.Handler, error) {
	events, err := countIn(registry)
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
		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "prometheus",
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
	return mux, nil
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
