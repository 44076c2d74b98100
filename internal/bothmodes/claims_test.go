package bothmodes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// Claims that NewClaims accepts can log in with a session and be issued in a token.
// Claims that it refuses can do neither.
func TestBothModesAcceptTheSameClaims(t *testing.T) {
	sessions, err := session.New(session.Config{Store: new(store.Memory)})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewKeySet(token.HS256)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := token.NewIssuer(token.IssuerConfig{Keys: keys, Store: new(store.Memory), Issuer: "https://app.example", Audience: "api", ClientID: "web"})
	if err != nil {
		t.Fatal(err)
	}
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) }
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"an object":                         {`{"a":1,"b":[{"c":null}]}`, true},
		"a name again, nested":              {`{"a":{"a":1}}`, true},
		"nested names that differ by case":  {`{"x":{"a":1,"A":2}}`, true},
		"a pair of surrogates":              {`{"a":"\ud83d\ude00"}`, true},
		"16 levels":                         {nested(16), true},
		"17 levels":                         {nested(17), false},
		"names that differ by case":         {`{"a":1,"A":2}`, false},
		"names that differ by a long s":     {`{"s":1,"ſ":2}`, false},
		"a nested name twice":               {`{"x":{"a":1,"a":2}}`, false},
		"a name twice in an array":          {`{"x":[{"a":1,"a":2}]}`, false},
		"a lone surrogate in a value":       {`{"a":"\ud800"}`, false},
		"a lone surrogate in a nested name": {`{"x":{"\udc00":1}}`, false},
		"a name twice":                      {`{"a":1,"a":2}`, false},
		"a registered name":                 {`{"Sub":"x"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := auth.NewClaims(json.RawMessage(c.text))
			if (err == nil) != c.ok {
				t.Errorf("NewClaims: %v", err)
			}
			if err != nil {
				claims = auth.Claims(c.text)
			}
			id := auth.Identity{Subject: "alice", Claims: claims}
			request := httptest.NewRequest("POST", "https://app.example/login", nil)
			if err := sessions.Login(httptest.NewRecorder(), request, id); (err == nil) != c.ok {
				t.Errorf("session: %v", err)
			}
			if _, err := tokens.Issue(context.Background(), id); (err == nil) != c.ok {
				t.Errorf("token: %v", err)
			}
		})
	}
}

// Every spelling of text within claims is read the same way in both modes.
func FuzzBothModesAcceptTheSameClaims(f *testing.F) {
	keys, err := token.NewKeySet(token.HS256)
	if err != nil {
		f.Fatal(err)
	}
	tokens, err := token.NewIssuer(token.IssuerConfig{Keys: keys, Store: new(store.Memory), Issuer: "https://app.example", Audience: "api", ClientID: "web"})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{`{}`, `{"a":1,"A":2}`, `{"a":{"b":1,"b":2}}`, `{"a":"\ud800"}`, `{"sub":1}`, `[]`, `{"a":"é€😀"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := auth.NewClaims(json.RawMessage(text))
		if err != nil || len(claims) > 1024 {
			return
		}
		if _, err := tokens.Issue(context.Background(), auth.Identity{Subject: "alice", Claims: claims}); err != nil {
			t.Fatal(fmt.Errorf("%q: %w", claims, err))
		}
	})
}
