package bothmodes

import (
	"context"
	"crypto/fips140"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
	"github.com/authlatch/auth/token"
)

// With GODEBUG=fips140=only, the standard library refuses or panics where an algorithm
// or the length of a key is not approved by FIPS 140-3. The setting is read when a
// process starts, so the test starts itself again under it.
func TestAllPackagesWorkUnderFIPS140Only(t *testing.T) {
	if !fips140.Enforced() {
		run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		run.Env = append(os.Environ(), "GODEBUG=fips140=only")
		if output, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return
	}
	for _, mode := range []string{"session", "token"} {
		t.Run(mode, func(t *testing.T) {
			s := openSite(t, mode)
			s.login(t, "alice")
			if code := s.send("GET", "/me"); code != 200 {
				t.Errorf("me: %d", code)
			}
			if code := s.send("POST", "/refresh"); mode == "token" && code != 200 {
				t.Errorf("refresh: %d", code)
			}
			if code := s.send("POST", "/logout"); code >= 300 {
				t.Errorf("logout: %d", code)
			}
			if code := s.send("GET", "/me"); code != 401 {
				t.Errorf("me, after the logout: %d", code)
			}
		})
	}
	for _, algorithm := range []token.Algorithm{token.Ed25519, token.ES256, token.PS256, token.HS256} {
		t.Run(string(algorithm), func(t *testing.T) { keySetUnderFIPS(t, algorithm) })
	}
	t.Run("cookie", sealedUnderFIPS)
	t.Run("onetime", onetimeUnderFIPS)
	t.Run("password", passwordsUnderFIPS)
	t.Run("throttle", throttleUnderFIPS)
}

// keySetUnderFIPS signs and verifies with a key set that was rotated, saved and loaded.
func keySetUnderFIPS(t *testing.T, algorithm token.Algorithm) {
	keys, err := token.NewKeySet(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := keys.Save(path); err != nil {
		t.Fatal(err)
	}
	if keys, err = token.LoadKeySet(path); err != nil {
		t.Fatal(err)
	}
	i, err := token.NewIssuer(token.IssuerConfig{Keys: keys, Store: &store.Memory{}, Issuer: "https://app.example", Audience: "api", ClientID: "native", NativeClients: true})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := i.Issue(t.Context(), auth.Identity{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Authorization", "Bearer "+issued.AccessToken)
	if id, err := i.Authenticate(r); err != nil || id.Subject != "alice" {
		t.Errorf("%+v, %v", id, err)
	}
}

func sealedUnderFIPS(t *testing.T) {
	sealer, err := cookie.NewSealer([]byte("thirty-two bytes, such as these."))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := sealer.Seal(cookie.New("flash"), []byte("hello"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if value, err := sealer.Open(cookie.New("flash"), sealed); err != nil || string(value) != "hello" {
		t.Errorf("%q, %v", value, err)
	}
}

func onetimeUnderFIPS(t *testing.T) {
	tokens, err := onetime.New(onetime.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	link, err := tokens.Issue(t.Context(), "reset", "alice", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if value, err := tokens.Redeem(t.Context(), "reset", link); err != nil || value != "alice" {
		t.Errorf("%q, %v", value, err)
	}
}

// passwordsUnderFIPS hashes with argon2id, which FIPS 140-3 does not know and the
// standard library does not refuse. The passwords are shorter than the keys that it
// admits for HMAC.
func passwordsUnderFIPS(t *testing.T) {
	passwords, err := password.New(password.Config{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := passwords.Hash(t.Context(), "short pass")
	if err != nil {
		t.Fatal(err)
	}
	const (
		scrypt = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAA"
		bcrypt = "$2b$04$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	)
	for hash, want := range map[string]error{made: nil, scrypt: password.ErrWrong, bcrypt: password.ErrWrong} {
		if err := passwords.Verify(context.Background(), hash, "short pass"); !errors.Is(err, want) {
			t.Errorf("%.7s: %v, want %v", hash, err, want)
		}
	}
}

func throttleUnderFIPS(t *testing.T) {
	limiter, err := throttle.New(throttle.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "https://app.example/login", nil)
	if err := limiter.Try(httptest.NewRecorder(), r, "alice", func() error { return nil }); err != nil {
		t.Error(err)
	}
}
