// Grpc is a gRPC service that a guard protects in two ways. As a net/http handler, gRPC is
// behind the guard like any other route and shares its address with the rest. Served by
// grpc-go itself, on its own address, interceptors call the same guard. One table has the
// requirements of each call.
//
//	go -C examples/integrations run ./grpc
//	curl -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	go -C examples/integrations run ./grpc -call localhost:8080 -token "$access_token"
//	go -C examples/integrations run ./grpc -call localhost:8081 -token "$access_token"
//
// The access token is in the response to login. The last two commands print "hello,
// alice", or, without a token, that the call is not authenticated. Alice may add notes,
// bob may not. Both have the same password.
//
// This example does not use TLS, which is acceptable only on the loopback interface: an
// attacker who reads an access token can use it.
package main

import (
	"context"
	"crypto/subtle"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` of HTTP, with gRPC on it, port 0 for any")
	native := flag.String("native", "localhost:8081", "`host:port` of gRPC alone, port 0 for any")
	call := flag.String("call", "", "`host:port` to call, instead of serving")
	accessToken := flag.String("token", "", "access `token` to call with")
	flag.Parse()
	if *call != "" {
		greeting, err := whoami(context.Background(), *call, *accessToken)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(greeting)
		return
	}
	log.Fatal(run(*addr, *native))
}

func run(addr, native string) error {
	issuer, err := newIssuer(&store.Memory{})
	if err != nil {
		return err
	}
	web, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	calls, err := net.Listen("tcp", native)
	if err != nil {
		return err
	}
	both := newServers(issuer)
	log.Printf("listening on http://%s, and on %s for gRPC alone", web.Addr(), calls.Addr())
	ended := make(chan error, 1)
	go func() { ended <- both.web.Serve(web) }()
	go func() { ended <- both.native.Serve(calls) }()
	return <-ended
}

// newIssuer generates new keys each time, so logins end with the program.
func newIssuer(s store.Store) (*token.Issuer, error) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	return token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: s, NativeClients: true,
		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "grpc",
		RevocationCheck: true, // a logout takes effect at once
	})
}

type servers struct {
	web    *http.Server
	native *grpc.Server
}

// newServers serves the same notes in both ways.
func newServers(issuer *token.Issuer) servers {
	guard := &middleware.Guard{Authenticator: issuer}
	// The requirements of each call, by full name, which is also its path in HTTP.
	// Calls that are not listed are refused.
	required := rules{
		"/notes.Notes/Whoami": guard.Require,
		"/notes.Notes/Watch":  guard.Require,
		"/notes.Notes/Add":    guard.RequireScope("notes:write"),
	}
	shared := &notes{changed: make(chan struct{})}

	behind := grpc.NewServer()
	shared.register(behind)
	mux := http.NewServeMux()
	for call, require := range required {
		mux.Handle("POST "+call, require(behind))
	}
	mux.HandleFunc("POST /login", login(issuer))
	mux.Handle("POST /refresh", issuer.RefreshHandler())
	mux.Handle("POST /logout", issuer.LogoutHandler())
	// No WriteTimeout, because it would end the streams.
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, Protocols: new(http.Protocols)}
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetUnencryptedHTTP2(true)

	native := grpc.NewServer(grpc.UnaryInterceptor(required.unary), grpc.StreamInterceptor(required.stream))
	shared.register(native)
	return servers{web, native}
}

// login responds with both tokens, for a client that is not a browser.
func login(issuer *token.Issuer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, ok := account(r.PostFormValue("user"), r.PostFormValue("password"))
		if !ok {
			http.Error(w, "wrong user or password", http.StatusUnauthorized)
			return
		}
		if err := issuer.Login(w, r, id); err != nil {
			middleware.Deny(w, r, err)
		}
	}
}

// account is a STUB with two accounts and one password. Replace it by a lookup of users
// and hashes.
func account(user, password string) (auth.Identity, bool) {
	scopes, ok := map[string]auth.Words{"alice": "notes:write", "bob": ""}[user]
	ok = ok && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
	return auth.Identity{Subject: user, Scopes: scopes, Methods: "pwd"}, ok
}
