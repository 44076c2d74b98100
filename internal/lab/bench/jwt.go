package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/token"
	"github.com/golang-jwt/jwt/v5"
)

const (
	issuer   = "https://login.example"
	audience = "https://api.example"
)

// claims are those of one of our access tokens, as golang-jwt has them.
type claims struct {
	jwt.RegisteredClaims
	private
}

// ownClaims are the same, as package token encodes them.
type ownClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
	ID       string `json:"jti"`
	private
}

// private are the claims that golang-jwt has no types for.
type private struct {
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	AuthTime int64    `json:"auth_time"`
	Methods  []string `json:"amr"`
	LoginID  string   `json:"sid"`
}

func newClaims() (ownClaims, *claims) {
	now, id := time.Now(), rand.Text()
	end := now.Add(time.Hour)
	p := private{"web", string(typical.Scopes), now.Unix(), []string{string(typical.Methods)}, rand.Text()}
	return ownClaims{issuer, typical.Subject, audience, end.Unix(), now.Unix(), id, p},
		&claims{jwt.RegisteredClaims{
			Issuer: issuer, Subject: typical.Subject, Audience: jwt.ClaimStrings{audience},
			ExpiresAt: jwt.NewNumericDate(end), IssuedAt: jwt.NewNumericDate(now), ID: id,
		}, p}
}

// tokens sign and verify access tokens.
func tokens() ([]group, error) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	ofCurve, err := tokensOf(jwt.SigningMethodES256, curve)
	if err != nil {
		return nil, err
	}
	ofEdwards, err := tokensOf(jwt.SigningMethodEdDSA, edwards)
	return append(ofCurve, ofEdwards...), err
}

func tokensOf(method jwt.SigningMethod, key crypto.Signer) ([]group, error) {
	signer, err := jose.NewSigningKey(key, "at+jwt")
	if err != nil {
		return nil, err
	}
	own, theirs := newClaims()
	payload, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	text, err := signer.Mint(payload)
	if err != nil {
		return nil, err
	}
	raw := primitiveOf(key, text)
	sign := group{"sign, " + method.Alg(), []contender{
		{"the raw primitive", raw.sign},
		{"ours, the claims encoded before", func() error { _, err := signer.Mint(payload); return err }},
		{"ours", func() error { payload, _ := json.Marshal(own); _, err := signer.Mint(payload); return err }},
		{"golang-jwt", func() error { _, err := jwt.NewWithClaims(method, theirs).SignedString(key); return err }},
	}}
	verify, err := verifications(method, key, text, raw)
	return append([]group{sign}, verify...), err
}

// verifications verify a token for the first time, and again.
func verifications(method jwt.SigningMethod, key crypto.Signer, text string, raw primitive) ([]group, error) {
	first, again, err := verifiers(key)
	if err != nil {
		return nil, err
	}
	parse := parserOf(method, key)
	request := httptest.NewRequest("GET", "https://api.example/", nil)
	request.Header.Set("Authorization", "Bearer "+text)
	return []group{
		{"verify for the first time, " + method.Alg(), []contender{
			{"the raw primitive", raw.verify},
			{"ours", func() error { _, err := first.Verify(context.Background(), text); return err }},
			{"golang-jwt", func() error { _, err := parse(text); return err }},
		}},
		{"verify again, through the whole middleware, " + method.Alg(), []contender{
			{"the bare handler", bare().read},
			{"ours", behind(again, request).read},
			{"golang-jwt", parsing(parse, request).read},
		}},
	}, nil
}

// verifiers returns one that sees each token for the first time, and one that
// remembers.
func verifiers(key crypto.Signer) (first, again *token.Verifier, err error) {
	keys, err := token.NewKeySet("")
	if err != nil {
		return nil, nil, err
	}
	if err := keys.SetSigner(key); err != nil {
		return nil, nil, err
	}
	c := token.VerifierConfig{Keys: keys, Issuer: issuer, Audience: audience}
	again, err = token.NewVerifier(c)
	if err != nil {
		return nil, nil, err
	}
	c.CacheSize = token.NoCache
	first, err = token.NewVerifier(c)
	return first, again, err
}

// parserOf checks what a verifier of ours does, as far as golang-jwt can.
func parserOf(method jwt.SigningMethod, key crypto.Signer) func(text string) (*claims, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{method.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	public := func(*jwt.Token) (any, error) { return key.Public(), nil }
	return func(text string) (*claims, error) {
		c := new(claims)
		_, err := parser.ParseWithClaims(text, c, public)
		return c, err
	}
}

// parsing is a handler behind the middleware that one writes with golang-jwt.
func parsing(parse func(string) (*claims, error), request *http.Request) *reader {
	type contextKey struct{}
	r := &reader{request: request}
	next := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		c, _ := request.Context().Value(contextKey{}).(*claims)
		r.handle(w, c.Subject)
	})
	r.handler = http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		text, _ := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
		c, err := parse(text)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, request.WithContext(context.WithValue(request.Context(), contextKey{}, c)))
	})
	return r
}

// A primitive is what the standard library does under a token.
type primitive struct{ sign, verify func() error }

func primitiveOf(key crypto.Signer, text string) primitive {
	end := strings.LastIndexByte(text, '.')
	input := []byte(text[:end])
	signature, _ := base64.RawURLEncoding.DecodeString(text[end+1:])
	if key, ok := key.(*ecdsa.PrivateKey); ok {
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return primitive{
			func() error { d := sha256.Sum256(input); _, _, err := ecdsa.Sign(rand.Reader, key, d[:]); return err },
			func() error { d := sha256.Sum256(input); return verified(ecdsa.Verify(&key.PublicKey, d[:], r, s)) },
		}
	}
	return primitive{
		func() error { _, err := key.Sign(nil, input, crypto.Hash(0)); return err },
		func() error { return verified(ed25519.Verify(key.Public().(ed25519.PublicKey), input, signature)) },
	}
}

func verified(ok bool) error {
	if !ok {
		return errors.New("the primitive refuses")
	}
	return nil
}
