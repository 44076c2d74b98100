package token

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/registered"
)

var ownRules = rules{
	issuer: "https://issuer.test", audience: "https://api.test", lifetime: ownLifetime, leeway: time.Minute,
	audienceClaim: "aud", scopeClaim: "scope", clientClaim: "client_id",
}

// someClaims are those of an access token of now, in whole seconds.
func someClaims() accessClaims {
	now := time.Unix(time.Now().Unix(), 0)
	return accessClaims{
		issuer: ownRules.issuer, audience: ownRules.audience, clientID: "app", subject: "alice",
		id: "id-1", sid: "login-1", family: "family-1",
		issuedAt: now, expires: now.Add(10 * time.Minute), authTime: now.Add(-time.Minute),
		scopes: "read write", methods: "pwd otp", claims: `{"role":"editor"}`,
	}
}

// reread mints the claims, and reads them as a verifier does.
func reread(t testing.TB, keys *KeySet, c accessClaims) (*accessClaims, error) {
	t.Helper()
	payload, err := c.encode()
	if err != nil {
		return nil, err
	}
	text, err := keys.mint(payload)
	if err != nil {
		return nil, err
	}
	verified, err := keys.verificationSet().Verify(text, accessForm)
	check(t, err)
	return ownRules.parse(verified.Payload, verified.Dates)
}

func TestClaimsComeBackAsTheyWere(t *testing.T) {
	keys := newKeys(t, "")
	for name, change := range map[string]func(*accessClaims){
		"all of them":         func(*accessClaims) {},
		"no facts":            func(c *accessClaims) { c.claims = "" },
		"no scopes":           func(c *accessClaims) { c.scopes = "" },
		"no methods":          func(c *accessClaims) { c.methods = "" },
		"no log-in":           func(c *accessClaims) { c.sid, c.family = "", "" },
		"no time of proof":    func(c *accessClaims) { c.authTime = time.Time{} },
		"a subject to escape": func(c *accessClaims) { c.subject = "a\"\\<&>\u2028\u00e4\U0001f600\n" },
		"facts of all kinds":  func(c *accessClaims) { c.claims = `{"a":1.5e3,"b":[{"x":"]}"}],"c":null,"d":true,"e":"\"\\u00e4"}` },
		"a name to escape":    func(c *accessClaims) { c.claims = `{"a\"\\b":1,"\u00e4":2}` },
	} {
		want := someClaims()
		change(&want)
		got, err := reread(t, keys, want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(*got, withoutFields(want)) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, *got, want)
		}
	}
}

func TestOwnKeysOfEachKindVerify(t *testing.T) {
	for _, algorithm := range []Algorithm{Ed25519, ES256, PS256, HS256} {
		keys := newKeys(t, algorithm)
		v, err := NewVerifier(VerifierConfig{Keys: keys, Issuer: ownRules.issuer, Audience: ownRules.audience})
		check(t, err)
		c := someClaims()
		payload, err := c.encode()
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
func withoutFields(c accessClaims) accessClaims {
	c.issuedAt, c.expires = time.Unix(c.issuedAt.Unix(), 0), time.Unix(c.expires.Unix(), 0)
	return c
}

func TestEmptyFactsAreNone(t *testing.T) {
	for _, empty := range []auth.Claims{"", "{}", "{ }", " {\n} "} {
		c := someClaims()
		c.claims = empty
		got, err := reread(t, newKeys(t, ""), c)
		check(t, err)
		if got.claims != "" {
			t.Errorf("%q comes back as %q", empty, got.claims)
		}
	}
}

// ASVS 5.0, 1.2.3.
// The application's facts can neither shadow nor add a registered claim, in
// whatever way their name is written (GHSA-4cf7-xm37-g63h and its class).
func TestFactsNeverShadow(t *testing.T) {
	keys := newKeys(t, "")
	for _, facts := range []string{
		`{"sub":"root"}`, `{"SUB":"root"}`, `{"s\u0075b":"root"}`, `{"\u017fub":"root"}`, `{"scope":"admin"}`, `{"Scope":"admin"}`,
		`{"exp":1}`, `{"cnf":{}}`, `{"fam":"x"}`, `{"sid":"x"}`, `{"aud":["x"]}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"a":1,"A":2}`,
		`{"a":1},"sub":"root"`, `{"a":1}}`, `{"a":1`, `[1]`, `"x"`, `null`, `1`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":1}{"b":2}`,
		`{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`,
	} {
		c := someClaims()
		c.claims = auth.Claims(facts)
		if got, err := reread(t, keys, c); err == nil {
			t.Errorf("%s is accepted: %+v", facts, got)
		}
	}
}

func TestClaimsThatNobodyWouldAcceptAreNotMinted(t *testing.T) {
	for name, change := range map[string]func(*accessClaims){
		"no subject":     func(c *accessClaims) { c.subject = "" },
		"a long subject": func(c *accessClaims) { c.subject = strings.Repeat("x", 256) },
		"no issuer":      func(c *accessClaims) { c.issuer = "" },
		"no audience":    func(c *accessClaims) { c.audience = "" },
		"no client":      func(c *accessClaims) { c.clientID = "" },
		"no ID":          func(c *accessClaims) { c.id = "" },
		"bad scopes":     func(c *accessClaims) { c.scopes = "a  b" },
		"bad methods":    func(c *accessClaims) { c.methods = "a\nb" },
	} {
		c := someClaims()
		change(&c)
		if payload, err := c.encode(); err == nil || payload != nil {
			t.Errorf("%s: %s", name, payload)
		}
	}
}

// The form of a token is a contract with verifiers elsewhere.
func TestPayloadIsGolden(t *testing.T) {
	c := someClaims()
	c.issuedAt, c.expires, c.authTime = time.Unix(1800000000, 5), time.Unix(1800000600, 5), time.Unix(1799999940, 5)
	payload, err := c.encode()
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
// Whatever the names and values of facts are, exactly they come back, and no
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
		want.claims = facts
		got, err := reread(t, keys, want)
		if err != nil {
			return // the envelope is stricter than encoding/json
		}
		var decoded map[string]string
		check(t, got.claims.Decode(&decoded))
		var minted map[string]string
		check(t, json.Unmarshal([]byte(facts), &minted))
		if !reflect.DeepEqual(decoded, minted) {
			t.Errorf("got %q, want %q", decoded, minted)
		}
		got.claims = want.claims
		if !reflect.DeepEqual(*got, withoutFields(want)) {
			t.Errorf("got  %+v\nwant %+v", *got, want)
		}
	})
}

// ASVS 5.0, 1.5.2 and 1.5.3.
// An accepted payload says what encoding/json reads in it as well.
func FuzzClaims(f *testing.F) {
	keys := newKeys(f, "")
	c := someClaims()
	good, err := c.encode()
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
		got, err := ownRules.parse(verified.Payload, verified.Dates)
		if err != nil {
			if got != nil {
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
		if read.Issuer != got.issuer || read.Subject != got.subject || read.Subject == "" || read.ClientID != got.clientID ||
			read.ID != got.id || read.Scope != string(got.scopes) || read.LoginID != got.sid || read.Family != got.family ||
			read.Expires != got.expires.Unix() || read.IssuedAt != got.issuedAt.Unix() || read.Bound != nil ||
			strings.Join(read.Methods, " ") != string(got.methods) || !strings.Contains(fmt.Sprint(audiences(t, read.Audience)), ownRules.audience) {
			t.Errorf("%s gives %+v", payload, got)
		}
		id := auth.Identity{Subject: got.subject, Scopes: got.scopes, Methods: got.methods, Claims: got.claims}
		if err := id.Validate(); err != nil {
			t.Errorf("%s gives what no log-in accepts: %v", payload, err)
		}
		var all, facts map[string]json.RawMessage
		check(t, json.Unmarshal([]byte(payload), &all))
		check(t, got.claims.Decode(&facts))
		for name := range all {
			if registered.Is([]byte(name)) {
				delete(all, name)
			}
		}
		if len(all)+len(facts) > 0 && !reflect.DeepEqual(all, facts) {
			t.Errorf("%s gives the facts %s", payload, got.claims)
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
