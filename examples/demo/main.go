// Demo is one page that shows the two modes side by side: logins that the server
// stores, and logins that it signs into tokens. The same handlers serve both. Each
// button shows the requests and responses as the server saw them, and the number of
// store calls: login, calls, refreshes, a theft, a post from another site, logout
// here and everywhere.
//
//	go run ./examples/demo
//
// Open http://localhost:8080. The account is alice, the password "correct horse". The
// page is in English and Korean.
//
// Lifetimes are short, so that expiry can be watched: an access token expires after a
// minute, a login after three minutes without use. Flags change that.
//
// The cookies are Secure. Chromium and Firefox accept such cookies on
// http://localhost, Safari does not; the page says so if no cookie comes back. The
// same address is also http://127.0.0.1:8080, which is another site to a browser: the
// demo's attacker is there.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"time"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, on this machine")
	var l limits
	flag.DurationVar(&l.access, "access", time.Minute, "how long an access token is valid")
	flag.DurationVar(&l.grace, "grace", 3*time.Second, "how long a used refresh token is still accepted")
	flag.DurationVar(&l.idle, "idle", 3*time.Minute, "how long a login lasts without use")
	flag.DurationVar(&l.lifetime, "lifetime", 15*time.Minute, "how long a login lasts at most")
	flag.Parse()

	demo, err := newDemo(l)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	log.Println("listening on http://localhost:" + port)
	server := &http.Server{
		Handler:           http.MaxBytesHandler(demo.handler(), 16<<10),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	log.Fatal(server.Serve(listener))
}
