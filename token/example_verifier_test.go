package token_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

// An API that knows of the issuer its name and the address of its keys.
func ExampleNewVerifier() {
	keys, err := token.NewRemoteKeySet("https://login.example.com/jwks.json", token.RemoteConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys:     keys,
		Issuer:   "https://login.example.com",
		Audience: "https://orders.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	guard := &middleware.Guard{Authenticator: verifier}
	http.Handle("GET /orders", guard.RequireScope("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprintln(w, "orders of", id.Subject)
	})))
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}

// Access tokens of an Amazon Cognito user pool have no aud and no typ. The
// claim token_use distinguishes them from ID tokens.
func ExampleForeign() {
	keys, err := token.NewRemoteKeySet("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ExaMple12/.well-known/jwks.json", token.RemoteConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys:     keys,
		Issuer:   "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ExaMple12",
		Audience: "3n4b5urk1ft4fl3mg5e62d9ado",
		Foreign:  &token.Foreign{Types: []string{""}, Require: map[string]string{"token_use": "access"}, AudienceClaim: "client_id"},
	})
	if err != nil {
		log.Fatal(err)
	}
	guard := &middleware.Guard{Authenticator: verifier}
	http.Handle("/", guard.Require(http.NotFoundHandler()))
}

// An API for the customers of two tenants. Tokens of any other issuer are refused.
func ExampleByIssuer() {
	var verifiers []*token.Verifier
	for _, tenant := range []string{"https://acme.example.com", "https://globex.example.com"} {
		keys, err := token.NewRemoteKeySet(tenant+"/jwks.json", token.RemoteConfig{})
		if err != nil {
			log.Fatal(err)
		}
		defer keys.Close()
		verifier, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Issuer: tenant, Audience: "https://orders.example.com"})
		if err != nil {
			log.Fatal(err)
		}
		verifiers = append(verifiers, verifier)
	}
	tenants, err := token.ByIssuer(verifiers...)
	if err != nil {
		log.Fatal(err)
	}
	guard := &middleware.Guard{Authenticator: tenants}
	http.Handle("/", guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprintln(w, id.Subject, "of", id.Issuer) // a subject is unique within its issuer
	})))
}
