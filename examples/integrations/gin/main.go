// Gin is a gin-gonic/gin service whose routes are protected by a guard, with tokens. The
// adapter is the function through.
//
//	go -C examples/integrations run ./gin
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

	"github.com/gin-gonic/gin"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on, port 0 for any")
	flag.Parse()
	gin.SetMode(gin.ReleaseMode)
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
		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "gin",
		RevocationCheck: true, // a logout takes effect at once
	})
}

// through converts the middleware of a guard to a gin handler. If the guard refuses a
// request, through aborts the chain, because gin would otherwise run the rest of it. Do
// not use gin.WrapH as an adapter for a guard.
func through(guard func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed, c.Request = true, r // with the identity in its context
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

func routes(issuer *token.Issuer) http.Handler {
	guard := &middleware.Guard{Authenticator: issuer}
	r := gin.New()
	r.POST("/login", func(c *gin.Context) {
		id, ok := account(c.PostForm("user"), c.PostForm("password"))
		if !ok {
			c.String(http.StatusUnauthorized, "wrong user or password\n")
		} else if err := issuer.Login(c.Writer, c.Request, id); err != nil {
			middleware.Deny(c.Writer, c.Request, err)
		}
	})
	r.POST("/refresh", gin.WrapH(issuer.RefreshHandler()))
	r.POST("/logout", gin.WrapH(issuer.LogoutHandler()))
	members := r.Group("/", through(guard.Require)) // these routes require a login
	members.GET("/me", me)
	members.GET("/reports", through(guard.RequireScope("reports:read")), reports)
	return r
}

func me(c *gin.Context) {
	id, _ := auth.FromContext(c.Request.Context())
	c.String(http.StatusOK, "hello, %s\n", id.Subject)
}

func reports(c *gin.Context) { c.String(http.StatusOK, "all is well\n") }

// account is a STUB with two accounts and one password. Replace it by a lookup of users
// and hashes.
func account(user, password string) (auth.Identity, bool) {
	scopes, ok := map[string]auth.Words{"alice": "reports:read", "bob": ""}[user]
	ok = ok && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
	return auth.Identity{Subject: user, Scopes: scopes, Methods: "pwd"}, ok
}
