package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/auth0/go-jwt-middleware/v2/validator"
	"github.com/go-chi/jwtauth/v5"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
	jwx2 "github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwx3 "github.com/lestrrat-go/jwx/v3/jwt"
)

// jwtClaims are those of one of our access tokens, for golang-jwt.
type jwtClaims struct {
	jwt.RegisteredClaims
	private
}

// joseClaims are the same for go-jose.
type joseClaims struct {
	josejwt.Claims
	private
}

// signPeers sign the same claims.
func (k keyPair) signPeers(c claims) []contender {
	issued, end := time.Unix(c.IssuedAt, 0), time.Unix(c.Expires, 0)
	golang := &jwtClaims{jwt.RegisteredClaims{
		Issuer: c.Issuer, Subject: c.Subject, Audience: jwt.ClaimStrings{c.Audience},
		ExpiresAt: jwt.NewNumericDate(end), IssuedAt: jwt.NewNumericDate(issued), ID: c.ID,
	}, c.private}
	goJose := joseClaims{josejwt.Claims{
		Issuer: c.Issuer, Subject: c.Subject, Audience: josejwt.Audience{c.Audience},
		Expiry: josejwt.NewNumericDate(end), IssuedAt: josejwt.NewNumericDate(issued), ID: c.ID,
	}, c.private}
	signer, signerErr := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.method.Alg()), Key: k.Signer},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	jwx := jwx3.New()
	text, _ := json.Marshal(c)
	jwxErr := json.Unmarshal(text, jwx)
	algorithm, _ := jwa.LookupSignatureAlgorithm(k.method.Alg())
	return []contender{
		{name: "golang-jwt", call: func() error {
			_, err := jwt.NewWithClaims(k.method, golang).SignedString(k.Signer)
			return err
		}},
		{name: "go-jose", call: func() error {
			if signerErr != nil {
				return signerErr
			}
			_, err := josejwt.Signed(signer).Claims(goJose).Serialize()
			return err
		}},
		{name: "jwx v3", call: func() error {
			if jwxErr != nil {
				return jwxErr
			}
			_, err := jwx3.Sign(jwx, jwx3.WithKey(algorithm, k.Signer))
			return err
		}},
	}
}

// verifyPeers check what a verifier of ours does, as far as they can.
func (k keyPair) verifyPeers(text string) []contender {
	parse := k.parser()
	algorithms := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.method.Alg())}
	algorithm, _ := jwa.LookupSignatureAlgorithm(k.method.Alg())
	public, bytes := k.Public(), []byte(text)
	return []contender{
		{name: "golang-jwt", call: func() error { _, err := parse(text); return err }},
		{name: "go-jose", call: func() error {
			t, err := josejwt.ParseSigned(text, algorithms)
			if err != nil {
				return err
			}
			var c joseClaims
			if err := t.Claims(public, &c); err != nil {
				return err
			}
			return c.Validate(josejwt.Expected{Issuer: issuer, AnyAudience: josejwt.Audience{audience}, Time: time.Now()})
		}},
		{name: "jwx v3", call: func() error {
			_, err := jwx3.Parse(bytes, jwx3.WithKey(algorithm, public), jwx3.WithIssuer(issuer), jwx3.WithAudience(audience))
			return err
		}},
	}
}

// parser returns a function that verifies a token with golang-jwt.
func (k keyPair) parser() func(text string) (*jwtClaims, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{k.method.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	public := func(*jwt.Token) (any, error) { return k.Public(), nil }
	return func(text string) (*jwtClaims, error) {
		c := new(jwtClaims)
		_, err := parser.ParseWithClaims(text, c, public)
		return c, err
	}
}

// A namedHandler requires a token in the header Authorization.
type namedHandler struct {
	name string
	http.Handler
}

// tokenHandlers are handlers behind the middleware of others.
func (k keyPair) tokenHandlers() ([]namedHandler, error) {
	public := func(context.Context) (any, error) { return k.Public(), nil }
	auth0, err := validator.New(public, validator.SignatureAlgorithm(k.method.Alg()), issuer, []string{audience})
	if err != nil {
		return nil, err
	}
	chi := jwtauth.New(k.method.Alg(), nil, k.Public(), jwx2.WithIssuer(issuer), jwx2.WithAudience(audience))
	return []namedHandler{
		{"golang-jwt, middleware by hand", k.parsing()},
		{"auth0/go-jwt-middleware", jwtmiddleware.New(auth0.ValidateToken).CheckJWT(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				c, _ := r.Context().Value(jwtmiddleware.ContextKey{}).(*validator.ValidatedClaims)
				respond(w, c.RegisteredClaims.Subject)
			}))},
		{"echo-jwt in Echo", k.echo()},
		{"jwtauth", jwtauth.Verifier(chi)(jwtauth.Authenticator(chi)(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				t, _, _ := jwtauth.FromContext(r.Context())
				respond(w, t.Subject())
			})))},
	}, nil
}

// parsing is the middleware that one writes with golang-jwt.
func (k keyPair) parsing() http.Handler {
	parse := k.parser()
	type contextKey struct{}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(contextKey{}).(*jwtClaims)
		respond(w, c.Subject)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		c, err := parse(text)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, c)))
	})
}

// echo is an application of Echo.
func (k keyPair) echo() http.Handler {
	parse := k.parser()
	app := echo.New()
	app.Use(echojwt.WithConfig(echojwt.Config{
		ParseTokenFunc: func(_ echo.Context, text string) (any, error) { return parse(text) },
	}))
	app.GET("/", func(c echo.Context) error {
		claims, _ := c.Get("user").(*jwtClaims)
		respond(c.Response(), claims.Subject)
		return nil
	})
	return app
}
