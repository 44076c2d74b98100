// Echo is a labstack/echo service whose routes are protected by a guard, with tokens. The
// adapter is echo's own, echo.WrapMiddleware.
//
//	go -C examples/integrations run ./echo
//	curl -c jar -d user=alice -d 'password=correct horse' http://localhost:8080/login
//	curl -H "Authorization: Bearer $access_token" http://localhost:8080/me
//	curl -H "Authorization: Bearer $access_token" http://localhost:8080/reports
//	curl -b jar -c jar -X POST -H "Refresh-Attempt: $(openssl rand -hex 16)" http://localhost:8080/refresh
//	curl -b jar -c jar -X POST -H "Refresh-Attempt: $(openssl rand -hex 16)" http://localhost:8080/logout
//
// The access token is in the response to login. Alice may read reports, bob may not. Both
// have the same password.
package main

import (
	"crypto/subtle"
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, port 0 for any")
	flag.Parse()
	issuer, err := newIssuer()
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: routes(issuer), ReadHeaderTimeout: 5 * time.Second}
	log.Printf("listening on http://%s", listener.Addr())
	log.Fatal(server.Serve(listener))
}

// newIssuer generates new keys each time, so logins end with the program.
func newIssuer() (*token.Issuer, error) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		return nil, err
	}
	return token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{},
		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "echo",
		RevocationCheck: true, // a logout takes effect at once
	})
}

func routes(issuer *token.Issuer) http.Handler {
	guard := &middleware.Guard{Authenticator: issuer}
	e := echo.New()
	e.POST("/login", func(c *echo.Context) error {
		// FormValue would also accept a password in the query, which is logged.
		id, ok := account(c.Request().PostFormValue("user"), c.Request().PostFormValue("password"))
		if !ok {
			return c.String(http.StatusUnauthorized, "wrong user or password\n")
		}
		if err := issuer.Login(c.Response(), c.Request(), id); err != nil {
			middleware.Deny(c.Response(), c.Request(), err)
		}
		return nil
	})
	e.POST("/refresh", echo.WrapHandler(issuer.RefreshHandler()))
	e.POST("/logout", echo.WrapHandler(issuer.LogoutHandler()))
	members := e.Group("", echo.WrapMiddleware(guard.Require)) // these routes require a login
	members.GET("/me", me)
	members.GET("/reports", reports, echo.WrapMiddleware(guard.RequireScope("reports:read")))
	return e
}

func me(c *echo.Context) error {
	id, _ := auth.FromContext(c.Request().Context())
	return c.String(http.StatusOK, "hello, "+id.Subject+"\n")
}

func reports(c *echo.Context) error { return c.String(http.StatusOK, "all is well\n") }

// account is a STUB with two accounts and one password. Replace it by a lookup of users
// and hashes.
func account(user, password string) (auth.Identity, bool) {
	scopes, ok := map[string]auth.Words{"alice": "reports:read", "bob": ""}[user]
	ok = ok && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
	return auth.Identity{Subject: user, Scopes: scopes, Methods: "pwd"}, ok
}
