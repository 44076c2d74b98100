// Demo is one page for a reader who has to decide between sessions and tokens. It says
// which to choose and when, and shows the reasons with three real servers: a login server
// with the store, and two APIs. API A verifies access tokens alone; API B also checks in
// the store that the login is not revoked.
//
// Four scenarios run step by step on both sides: log in (and lose the store), steal the
// cookie and the tokens, log out everywhere, and call again. The page shows who holds what,
// who is let in by which server, and each request and response as the server saw it, with
// the number of store calls.
//
//	go run ./examples/demo
//
// Open http://localhost:8080. The APIs are on the ports 8081 and 8082. The account is
// alice, the password "correct horse". The page is in English and Korean.
//
// Lifetimes are short, so that expiry can be watched: an access token expires after half a
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
	flag.String("addr", "localhost:8080", "`host:port` of the page and the login server, on this machine")
	flag.String("a", "localhost:8081", "`host:port` of API A")
	flag.String("b", "localhost:8082", "`host:port` of API B")
	var l limits
	flag.DurationVar(&l.access, "access", 30*time.Second, "how long an access token is valid")
	flag.DurationVar(&l.grace, "grace", 3*time.Second, "how long a used refresh token is still accepted")
	flag.DurationVar(&l.idle, "idle", 3*time.Minute, "how long a login lasts without use")
	flag.DurationVar(&l.lifetime, "lifetime", 15*time.Minute, "how long a login lasts at most")
	flag.Parse()

	var listeners [3]net.Listener
	var origins [3]string
	for i, name := range []string{"addr", "a", "b"} {
		listener, err := net.Listen("tcp", flag.Lookup(name).Value.String())
		if err != nil {
			log.Fatalf("%v; choose another address with -%s", err, name)
		}
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		listeners[i], origins[i] = listener, "http://localhost:"+port
	}
	demo, err := newDemo(l, addresses{origins[0], origins[1], origins[2]})
	if err != nil {
		log.Fatal(err)
	}
	defer demo.Close()
	log.Println("listening on " + origins[0])
	failed := make(chan error)
	for i, handler := range []http.Handler{demo.handler(), demo.api(0), demo.api(1)} {
		server := &http.Server{
			Handler:           http.MaxBytesHandler(handler, 16<<10),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      10 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    32 << 10,
		}
		go func() { failed <- server.Serve(listeners[i]) }()
	}
	log.Print(<-failed)
}
