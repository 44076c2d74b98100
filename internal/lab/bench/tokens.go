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
	"strings"
	"time"

	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
	"github.com/golang-jwt/jwt/v5"
)

// tokens measures signing, verifying and the middleware of access tokens, with
// each algorithm.
func tokens(ctx context.Context, b *bench) error {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	for _, k := range []keyPair{{curve, jwt.SigningMethodES256}, {edwards, jwt.SigningMethodEdDSA}} {
		groups, err := k.groups()
		if err != nil {
			return err
		}
		b.say("tokens, %s", k.method.Alg())
		for _, g := range groups {
			e := b.effort
			if g.atOnce > 1 {
				e.slice *= 4
			}
			if err := b.measure(ctx, e, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// A keyPair signs with an algorithm.
type keyPair struct {
	crypto.Signer
	method jwt.SigningMethod
}

func (k keyPair) groups() ([]group, error) {
	signer, err := jose.NewSigningKey(k.Signer, "at+jwt")
	if err != nil {
		return nil, err
	}
	claims := newClaims()
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	text, err := signer.Mint(payload)
	if err != nil {
		return nil, err
	}
	keys, err := keySet(k.Signer)
	if err != nil {
		return nil, err
	}
	first, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Issuer: issuer, Audience: audience, CacheSize: token.NoCache})
	if err != nil {
		return nil, err
	}
	middlewares, err := k.middlewares()
	if err != nil {
		return nil, err
	}
	logins, err := k.logins()
	if err != nil {
		return nil, err
	}
	raw, alg := k.primitive(text), k.method.Alg()
	return []group{
		{"sign", alg, 1, append([]contender{
			{name: "the raw primitive", call: raw.sign},
			{name: "ours", call: func() error { payload, _ := json.Marshal(claims); _, err := signer.Mint(payload); return err }},
		}, k.signPeers(claims)...)},
		{"verify", alg, 1, append([]contender{
			{name: "the raw primitive", call: raw.verify},
			{name: "ours", call: func() error { _, err := first.Verify(context.Background(), text); return err }},
		}, k.verifyPeers(text)...)},
		{"request with a token", alg, 1, middlewares},
		{"request with a token", alg, many, middlewares},
		{"token login", alg, 1, append([]contender{{name: "sign, the raw primitive", call: raw.sign}}, logins...)},
	}, nil
}

// middlewares are requests through the whole middleware.
func (k keyPair) middlewares() ([]contender, error) {
	all := []contender{bareHandler()}
	credential := ""
	for _, c := range []struct {
		name       string
		revocation bool
		cache      int
	}{
		{"ours, seen before", false, 0},
		{"ours, first time", false, token.NoCache},
		{"ours, RevocationCheck in memory", true, 0},
	} {
		site, err := ourTokens(c.name, &store.Memory{}, k.Signer, c.revocation, c.cache)
		if err != nil {
			return nil, err
		}
		if credential, err = site.login(typical.Subject); err != nil {
			return nil, err
		}
		all = append(all, contender{name: c.name, call: site.reading(credential, typical.Subject)})
	}
	peers, err := k.tokenHandlers()
	for _, p := range peers {
		all = append(all, contender{name: p.name, call: requests(p.Handler, "Authorization", credential, typical.Subject)})
	}
	return all, err
}

// logins are logins and refreshes, with families in memory.
func (k keyPair) logins() ([]contender, error) {
	site, err := ourTokens("", &store.Memory{}, k.Signer, false, 0)
	if err != nil {
		return nil, err
	}
	ctx, credential := context.Background(), ""
	current, err := site.issuer.Issue(ctx, identity("subject-0002"))
	return []contender{
		{
			name:   "ours, login",
			call:   func() (err error) { credential, err = site.login(typical.Subject); return err },
			before: func() error { return site.issuer.LogoutAll(ctx, typical.Subject) },
		},
		{name: "ours, refresh", call: func() (err error) {
			current, err = site.issuer.Refresh(ctx, current.RefreshToken, rand.Text())
			return err
		}},
		{
			name:   "ours, logout",
			call:   func() error { return site.logout(credential) },
			before: func() (err error) { credential, err = site.login(typical.Subject); return err },
		},
	}, err
}

// claims are those of one of our access tokens.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
	ID       string `json:"jti"`
	private
}

// private are the claims that other libraries have no types for.
type private struct {
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	AuthTime int64    `json:"auth_time"`
	Methods  []string `json:"amr"`
	LoginID  string   `json:"sid"`
}

func newClaims() claims {
	now := time.Now()
	return claims{issuer, typical.Subject, audience, now.Add(time.Hour).Unix(), now.Unix(), rand.Text(),
		private{"web", string(typical.Scopes), now.Unix(), []string{string(typical.Methods)}, rand.Text()}}
}

// A primitive is what the standard library does under a token.
type primitive struct{ sign, verify func() error }

func (k keyPair) primitive(text string) primitive {
	end := strings.LastIndexByte(text, '.')
	input := []byte(text[:end])
	signature, _ := base64.RawURLEncoding.DecodeString(text[end+1:])
	if key, ok := k.Signer.(*ecdsa.PrivateKey); ok {
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return primitive{
			func() error { d := sha256.Sum256(input); _, _, err := ecdsa.Sign(rand.Reader, key, d[:]); return err },
			func() error { d := sha256.Sum256(input); return verified(ecdsa.Verify(&key.PublicKey, d[:], r, s)) },
		}
	}
	return primitive{
		func() error { _, err := k.Sign(nil, input, crypto.Hash(0)); return err },
		func() error { return verified(ed25519.Verify(k.Public().(ed25519.PublicKey), input, signature)) },
	}
}

func verified(ok bool) error {
	if !ok {
		return errors.New("the primitive refuses")
	}
	return nil
}
