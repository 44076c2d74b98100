package token

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/claims"
	"github.com/authlatch/auth/internal/registered"
)

var ownRules = claims.Rules{
	Issuer: "https://issuer.test", Audience: "https://api.test", Lifetime: claims.OwnLifetime, Leeway: time.Minute,
	AudienceClaim: "aud", SubjectClaim: "sub", ScopeClaim: "scope", ClientClaim: "client_id",
}

// someClaims are those of an access token of now, in whole seconds.
func someClaims() claims.Access {
	now := time.Unix(time.Now().Unix(), 0)
	return claims.Access{
		Issuer: ownRules.Issuer, Audience: ownRules.Audience, ClientID: "app", Subject: "alice",
		ID: "id-1", SID: "login-1", Family: "family-1",
		IssuedAt: now, Expires: now.Add(10 * time.Minute), AuthTime: now.Add(-time.Minute),
		Scopes: "read write", Methods: "pwd otp", Application: `{"role":"editor"}`,
	}
}

// reread mints the claims, and reads them as a verifier does.
func reread(t testing.TB, keys *KeySet, c claims.Access) (claims.Access, error) {
	t.Helper()
	payload, err := c.Encode()
	if err != nil {
		return claims.Access{}, err
	}
	text, err := keys.mint(payload)
	if err != nil {
		return claims.Access{}, err
	}
	verified, err := keys.verificationSet().Verify(text, accessForm)
	check(t, err)
	return ownRules.Parse(verified)
}

func TestClaimsComeBackAsTheyWere(t *testing.T) {
	keys := newKeys(t, "")
	for name, change := range map[string]func(*claims.Access){
		"all of them":         func(*claims.Access) {},
		"no facts":            func(c *claims.Access) { c.Application = "" },
		"no scopes":           func(c *claims.Access) { c.Scopes = "" },
		"no methods":          func(c *claims.Access) { c.Methods = "" },
		"no login":            func(c *claims.Access) { c.SID, c.Family = "", "" },
		"no time of proof":    func(c *claims.Access) { c.AuthTime = time.Time{} },
		"a subject to escape": func(c *claims.Access) { c.Subject = "a\"\\<&>\u2028\u00e4\U0001f600\n" },
		"facts of all kinds": func(c *claims.Access) {
			c.Application = `{"a":1.5e3,"b":[{"x":"]}"}],"c":null,"d":true,"e":"\"\\u00e4"}`
		},
		"a name to escape": func(c *claims.Access) { c.Application = `{"a\"\\b":1,"\u00e4":2}` },
	} {
		want := someClaims()
		change(&want)
		got, err := reread(t, keys, want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got, withoutFields(want)) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

func TestOwnKeysOfEachKindVerify(t *testing.T) {
	for _, algorithm := range []Algorithm{Ed25519, ES256, PS256, HS256} {
		keys := newKeys(t, algorithm)
		v, err := NewVerifier(VerifierConfig{Keys: keys, Issuer: ownRules.Issuer, Audience: ownRules.Audience})
		check(t, err)
		c := someClaims()
		payload, err := c.Encode()
		check(t, err)
		text, err := keys.mint(payload)
		check(t, err)
		for range 2 {
			if got, err := v.Verify(t.Context(), text); err != nil || got.Identity().Subject != "alice" {
				t.Errorf("%s: %v, error %v", algorithm, got, err)
			}
		}
	}
}

// withoutFields is the identity, but for times: those that are read are local.
func withoutFields(c claims.Access) claims.Access {
	c.IssuedAt, c.Expires = time.Unix(c.IssuedAt.Unix(), 0), time.Unix(c.Expires.Unix(), 0)
	return c
}

func TestEmptyFactsAreNone(t *testing.T) {
	for _, empty := range []auth.Claims{"", "{}", "{ }", " {\n} "} {
		c := someClaims()
		c.Application = empty
		got, err := reread(t, newKeys(t, ""), c)
		check(t, err)
		if got.Application != "" {
			t.Errorf("%q comes back as %q", empty, got.Application)
		}
	}
}

// ASVS 5.0, 1.2.3.
// The application's facts can neither shadow nor add a registered claim, in
// with any spelling of their names (GHSA-4cf7-xm37-g63h and its class).
func TestFactsNeverShadow(t *testing.T) {
	keys := newKeys(t, "")
	for _, facts := range []string{
		`{"sub":"root"}`, `{"SUB":"root"}`, `{"s\u0075b":"root"}`, `{"\u017fub":"root"}`, `{"scope":"admin"}`, `{"Scope":"admin"}`,
		`{"exp":1}`, `{"cnf":{}}`, `{"fam":"x"}`, `{"sid":"x"}`, `{"aud":["x"]}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"a":1,"A":2}`,
		`{"a":1},"sub":"root"`, `{"a":1}}`, `{"a":1`, `[1]`, `"x"`, `null`, `1`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":1}{"b":2}`,
		`{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`,
	} {
		c := someClaims()
		c.Application = auth.Claims(facts)
		if got, err := reread(t, keys, c); err == nil {
			t.Errorf("%s is accepted: %+v", facts, got)
		}
	}
}

func TestClaimsThatNoVerifierAcceptsAreNotMinted(t *testing.T) {
	for name, change := range map[string]func(*claims.Access){
		"no subject":     func(c *claims.Access) { c.Subject = "" },
		"a long subject": func(c *claims.Access) { c.Subject = strings.Repeat("x", 256) },
		"no issuer":      func(c *claims.Access) { c.Issuer = "" },
		"no audience":    func(c *claims.Access) { c.Audience = "" },
		"no client":      func(c *claims.Access) { c.ClientID = "" },
		"no ID":          func(c *claims.Access) { c.ID = "" },
		"bad scopes":     func(c *claims.Access) { c.Scopes = "a  b" },
		"bad methods":    func(c *claims.Access) { c.Methods = "a\nb" },
	} {
		c := someClaims()
		change(&c)
		if payload, err := c.Encode(); err == nil || payload != nil {
			t.Errorf("%s: %s", name, payload)
		}
	}
}

// The form of a token is a contract with verifiers elsewhere.
func TestPayloadIsGolden(t *testing.T) {
	c := someClaims()
	c.IssuedAt, c.Expires, c.AuthTime = time.Unix(1800000000, 5), time.Unix(1800000600, 5), time.Unix(1799999940, 5)
	payload, err := c.Encode()
	check(t, err)
	const want = `{"iss":"https://issuer.test","sub":"alice","aud":"https://api.test","client_id":"app",` +
		`"exp":1800000600,"iat":1800000000,"jti":"id-1","scope":"read write","auth_time":1799999940,` +
		`"amr":["pwd","otp"],"sid":"login-1","fam":"family-1","role":"editor"}`
	if string(payload) != want {
		t.Errorf("got  %s\nwant %s", payload, want)
	}
}

// What an application may not set is what is taken from its facts.
func TestRegisteredNamesAreThoseOfPackageAuth(t *testing.T) {
	for _, name := range []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "auth_time", "acr", "amr",
		"sid", "fam", "azp", "act", "may_act", "cnf", "role", "typ", "scp", "nonce", "email", "roles", "groups",
	} {
		_, err := auth.NewClaims(map[string]any{name: 1})
		if registered.Is([]byte(name)) != (err != nil) {
			t.Errorf("%s: registered here %v, auth says %v", name, registered.Is([]byte(name)), err)
		}
	}
}

// ASVS 5.0, 1.2.3.
// Facts with any names and values come back unchanged, and no
// registered claim has another value.
func FuzzFacts(f *testing.F) {
	keys := newKeys(f, "")
	for _, seed := range [][2]string{{"role", "x"}, {`","sub":"root`, "x"}, {"sub", "x"}, {"SUB", "x"}, {"\u017fub", ""}, {"a\\", `"}`}, {"", "{"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		facts, err := auth.NewClaims(map[string]string{name: value})
		if err != nil {
			return
		}
		want := someClaims()
		want.Application = facts
		got, err := reread(t, keys, want)
		if err != nil {
			return // the envelope is stricter than encoding/json
		}
		var decoded map[string]string
		check(t, got.Application.Decode(&decoded))
		var minted map[string]string
		check(t, json.Unmarshal([]byte(facts), &minted))
		if !reflect.DeepEqual(decoded, minted) {
			t.Errorf("got %q, want %q", decoded, minted)
		}
		got.Application = want.Application
		if !reflect.DeepEqual(got, withoutFields(want)) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

// ASVS 5.0, 1.5.2 and 1.5.3.
// An accepted payload says what encoding/json reads in it as well.
func FuzzClaims(f *testing.F) {
	keys := newKeys(f, "")
	c := someClaims()
	good, err := c.Encode()
	check(f, err)
	f.Add(string(good))
	for _, seed := range []string{
		`{}`, `{"iss":"https://issuer.test"}`, `{"aud":[]}`, `{"aud":["a","b"]}`, `{"x":{"y":[1,{"z":"]}"}]}}`,
		strings.Replace(string(good), `"aud":"https://api.test"`, `"aud":["x","https:\/\/api.test"]`, 1),
		strings.Replace(string(good), `"sub"`, `"s\u0075b"`, 1),
		strings.Replace(string(good), `,`, " ,\t\r\n", -1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		text, err := keys.mint([]byte(payload))
		if err != nil {
			return
		}
		verified, err := keys.verificationSet().Verify(text, accessForm)
		check(t, err)
		got, err := ownRules.Parse(verified)
		if err != nil {
			if got != (claims.Access{}) {
				t.Errorf("%+v beside error %v", got, err)
			}
			return
		}
		var read struct {
			Issuer   string          `json:"iss"`
			Subject  string          `json:"sub"`
			Audience json.RawMessage `json:"aud"`
			ClientID string          `json:"client_id"`
			ID       string          `json:"jti"`
			Scope    string          `json:"scope"`
			Expires  int64           `json:"exp"`
			IssuedAt int64           `json:"iat"`
			LoginID  string          `json:"sid"`
			Family   string          `json:"fam"`
			Methods  []string        `json:"amr"`
			Bound    any             `json:"cnf"`
		}
		check(t, json.Unmarshal([]byte(payload), &read))
		if read.Issuer != got.Issuer || read.Subject != got.Subject || read.Subject == "" || read.ClientID != got.ClientID ||
			read.ID != got.ID || read.Scope != string(got.Scopes) || read.LoginID != got.SID || read.Family != got.Family ||
			read.Expires != got.Expires.Unix() || read.IssuedAt != got.IssuedAt.Unix() || read.Bound != nil ||
			strings.Join(read.Methods, " ") != string(got.Methods) || !strings.Contains(fmt.Sprint(audiences(t, read.Audience)), ownRules.Audience) {
			t.Errorf("%s gives %+v", payload, got)
		}
		id := auth.Identity{Subject: got.Subject, Scopes: got.Scopes, Methods: got.Methods, Claims: got.Application}
		if err := id.Validate(); err != nil {
			t.Errorf("%s gives claims that Login refuses: %v", payload, err)
		}
		var all, facts map[string]json.RawMessage
		check(t, json.Unmarshal([]byte(payload), &all))
		check(t, got.Application.Decode(&facts))
		for name := range all {
			if registered.Is([]byte(name)) {
				delete(all, name)
			}
		}
		if len(all)+len(facts) > 0 && !reflect.DeepEqual(all, facts) {
			t.Errorf("%s gives the facts %s", payload, got.Application)
		}
	})
}

func audiences(t testing.TB, raw json.RawMessage) (all []string) {
	t.Helper()
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	check(t, json.Unmarshal(raw, &all))
	return all
}
