package migrate

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

// A guard accepts the tokens of the old issuer beside those of the new one, by public keys.
func TestTokensOfBothIssuersAreAccepted(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b64 := base64.RawURLEncoding.EncodeToString
		fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"1","alg":"RS256","use":"sig","n":%q,"e":%q}]}`,
			b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes()))
	}))
	defer set.Close()
	keys, err := token.NewRemoteKeySet(set.URL, token.RemoteConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	memory := &brittle{}
	issuer := newIssuer(t, memory)
	both, err := acceptBoth(issuer, keys)
	if err != nil {
		t.Fatal(err)
	}
	site := (&middleware.Guard{Authenticator: both}).Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprint(w, id.Subject)
	}))
	sign := func(subject, issuer string, until time.Time) string {
		old := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{"api"}, Subject: subject,
			IssuedAt: jwt.NewNumericDate(until.Add(-12 * time.Hour)), ExpiresAt: jwt.NewNumericDate(until),
		})
		old.Header["kid"] = "1"
		text, err := old.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	issued, err := issuer.Issue(t.Context(), auth.Identity{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, c := range []struct {
		rule, token string
		want        int
	}{
		{"old", sign("alice", "https://old.example", now.Add(time.Hour)), 200},
		{"new", issued.AccessToken, 200},
		{"old, expired", sign("alice", "https://old.example", now.Add(-time.Hour)), 401},
		{"old, in the name of the new", sign("alice", "https://app.example", now.Add(time.Hour)), 401},
	} {
		b := &visitor{bearer: c.token}
		if code, body := b.send(site, "GET", "/me", nil); code != c.want || code == 200 && body != "alice" {
			t.Errorf("%s: %d %s", c.rule, code, body)
		}
	}
}
