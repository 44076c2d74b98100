package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authlatch/auth/token"
)

const (
	issuerName   = "https://issuer.test"
	audienceName = "https://api.test"
)

var b64 = base64.RawURLEncoding

// minter signs any header and payload, with a key that a KeySet has. It shares
// no code with the package.
type minter struct {
	t      testing.TB
	signer crypto.Signer
	alg    string
	kid    string
	keys   *token.KeySet
}

func newMinter(t testing.TB) *minter {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return minterOf(t, key, "EdDSA")
}

func newES256Minter(t testing.TB) *minter {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return minterOf(t, key, "ES256")
}

func minterOf(t testing.TB, signer crypto.Signer, alg string) *minter {
	t.Helper()
	keys, err := token.NewKeySet("")
	must(t, err)
	must(t, keys.SetSigner(signer))
	return &minter{t: t, signer: signer, alg: alg, kid: firstKeyID(t, keys), keys: keys}
}

// firstKeyID reads the kid of the current key from what is published.
func firstKeyID(t testing.TB, keys *token.KeySet) string {
	t.Helper()
	w := httptest.NewRecorder()
	keys.JWKSHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var published struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	must(t, json.Unmarshal(w.Body.Bytes(), &published))
	return published.Keys[0].KeyID
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// claims are those of a good token of now.
func claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"iss": issuerName, "sub": "alice", "aud": audienceName, "client_id": "app",
		"exp": now + 600, "iat": now, "jti": "id-1", "scope": "read write admin",
		"auth_time": now, "amr": []string{"pwd"}, "sid": "login-1",
	}
}

// with returns good claims with some changed; nil takes one away.
func with(changes map[string]any) map[string]any {
	all := claims()
	maps.Copy(all, changes)
	for name, value := range changes {
		if value == nil {
			delete(all, name)
		}
	}
	return all
}

func (m *minter) header() map[string]any {
	return map[string]any{"alg": m.alg, "kid": m.kid, "typ": "at+jwt"}
}

// mint makes a token of claims with a good header.
func (m *minter) mint(claims map[string]any) string { return m.mintWith(m.header(), claims) }

func (m *minter) mintWith(header, claims map[string]any) string {
	h, err := json.Marshal(header)
	must(m.t, err)
	c, err := json.Marshal(claims)
	must(m.t, err)
	return m.mintText(string(h), string(c))
}

func (m *minter) mintText(header, payload string) string {
	return m.sign(b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload)))
}

// sign appends the signature to what is signed.
func (m *minter) sign(input string) string {
	return input + "." + b64.EncodeToString(m.signature(input))
}

func (m *minter) signature(input string) []byte {
	switch key := m.signer.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input))
	case *ecdsa.PrivateKey:
		digest := sha256.Sum256([]byte(input))
		der, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		must(m.t, err)
		var sig struct{ R, S *big.Int }
		_, err = asn1.Unmarshal(der, &sig)
		must(m.t, err)
		return append(sig.R.FillBytes(make([]byte, 32)), sig.S.FillBytes(make([]byte, 32))...)
	}
	digest := sha256.Sum256([]byte(input))
	var padding crypto.SignerOpts = crypto.SHA256
	if m.alg == "PS256" {
		padding = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	signature, err := m.signer.Sign(rand.Reader, digest[:], padding)
	must(m.t, err)
	return signature
}

// verifier makes a verifier of the minter's tokens.
func (m *minter) verifier(change ...func(*token.VerifierConfig)) *token.Verifier {
	m.t.Helper()
	c := token.VerifierConfig{Keys: m.keys, Issuer: issuerName, Audience: audienceName}
	for _, each := range change {
		each(&c)
	}
	v, err := token.NewVerifier(c)
	must(m.t, err)
	return v
}
