package auth_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/authlatch/auth"
)

// registered repeats the list of internal/registered on purpose: the test fails
// if a name is removed there.
var registered = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "auth_time",
	"acr", "amr", "sid", "fam", "azp", "act", "may_act", "cnf",
}

type profile struct {
	Name string `json:"name"`
	Team int    `json:"team,omitempty"`
}

func TestNewClaims(t *testing.T) {
	type object = map[string]any
	tests := []struct {
		name string
		v    any
		want auth.Claims // empty with ok: no claims
		ok   bool
	}{
		{"a struct", profile{"Alice", 7}, `{"name":"Alice","team":7}`, true},
		{"a pointer to a struct", &profile{Name: "Alice"}, `{"name":"Alice"}`, true},
		{"a map", object{"role": "admin"}, `{"role":"admin"}`, true},
		{"an object of others", json.RawMessage(`{ "a": [1, {"b": null}] }`), `{"a":[1,{"b":null}]}`, true},
		{"an empty object", object{}, `{}`, true},
		{"nil gives empty claims", nil, "", true},
		{"a nil pointer gives empty claims", (*profile)(nil), "", true},
		{"a nil map gives empty claims", object(nil), "", true},
		{"a JSON null gives empty claims", json.RawMessage(`null`), "", true},
		{"names inside of a member are free", object{"user": object{"sub": "x"}}, `{"user":{"sub":"x"}}`, true},
		{"names that contain a registered one are free", object{"subject": 1, "my_sub": 2}, `{"my_sub":2,"subject":1}`, true},

		{"not a string", "alice", "", false},
		{"not a number", 1, "", false},
		{"not a bool", true, "", false},
		{"not a list", []string{"a"}, "", false},
		{"not a list of objects", []object{{"a": 1}}, "", false},
		{"not what JSON cannot say", object{"a": func() {}}, "", false},
		{"not broken JSON", json.RawMessage(`{"a":`), "", false},
		{"not two values", json.RawMessage(`{"a":1}{"b":2}`), "", false},
		{"not an empty text", json.RawMessage(``), "", false},

		// ASVS 5.0, 1.5.3: every parser reads the claims the same way.
		{"not a member that stands twice", json.RawMessage(`{"a":1,"b":2,"a":3}`), "", false},
		{"not a member that stands twice in two spellings", json.RawMessage(`{"a":1,"\u0061":3}`), "", false},
		{"not a name that is not UTF-8", json.RawMessage("{\"\xff\":1}"), "", false},
		{"not a value that is not UTF-8", json.RawMessage("{\"a\":\"\xff\"}"), "", false},
		{"not two names that become one when repaired", object{"\xfe": 1, "\xff": 2}, "", false},

		{"not a registered name in capitals", object{"SUB": "x"}, "", false},
		{"not a registered name in mixed case", object{"Client_ID": "x"}, "", false},
		{"not a registered name that is escaped", json.RawMessage(`{"\u0073ub":"x"}`), "", false},
		{"not a registered name with a long s, U+017F", object{"\u017fub": "x"}, "", false},
		{"not a registered name with a long s that is escaped", json.RawMessage(`{"i\u017fs":"x"}`), "", false},
		{"not a registered name behind others", json.RawMessage(`{"a":{"b":[1]},"c":2,"scope":"all"}`), "", false},
		{"not a registered name by a field's tag", struct {
			S string `json:"scope"`
		}{"all"}, "", false},
		{"not a registered name by a field's name", struct{ Sub string }{"x"}, "", false},
		{"a Kelvin sign, U+212A, is in no registered name", object{"\u212aey": 1}, "{\"\u212aey\":1}", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := auth.NewClaims(test.v)
			if (err == nil) != test.ok || got != test.want {
				t.Fatalf("NewClaims = %q, %v", got, err)
			}
			if err := (auth.Identity{Subject: "alice", Claims: got}).Validate(); err != nil {
				t.Errorf("the claims of NewClaims are not valid: %v", err)
			}
		})
	}
	for _, name := range registered {
		if _, err := auth.NewClaims(map[string]int{name: 1}); err == nil {
			t.Errorf("the registered claim %q was accepted", name)
		}
	}
}

// encoding/json folds U+017F and U+212A when it matches a member to a field. A name
// that it matches to a registered claim counts as registered.
func TestNewClaimsFoldsNamesAsDecodersDo(t *testing.T) {
	for _, name := range registered {
		for _, folded := range []string{
			strings.ToUpper(name),
			strings.ReplaceAll(name, "s", "\u017f"),
			strings.ReplaceAll(strings.ToUpper(name), "K", "\u212a"),
		} {
			if _, err := auth.NewClaims(map[string]int{folded: 1}); err == nil {
				t.Errorf("%q was accepted", folded)
			}
		}
	}
}

// Claims from a store or a token follow the same rules.
func TestValidateChecksClaimsThatNewClaimsDidNotMake(t *testing.T) {
	for name, test := range map[string]struct {
		claims auth.Claims
		ok     bool
	}{
		"none":                      {"", true},
		"an object":                 {`{"a":1}`, true},
		"an object amid spaces":     {" \t\r\n{ \"a\" : 1 } ", true},
		"null":                      {`null`, false},
		"spaces":                    {`  `, false},
		"a list":                    {`[]`, false},
		"two objects":               {`{}{}`, false},
		"half an object":            {`{"a"`, false},
		"a byte order mark":         {"\ufeff{}", false},
		"a registered name":         {`{"sub":"root"}`, false},
		"a registered name, folded": {"{\"\u017fub\":\"root\"}", false},
		"a name twice":              {`{"a":1,"a":2}`, false},
		"no UTF-8":                  {"{\"a\":\"\xc3\"}", false},
	} {
		t.Run(name, func(t *testing.T) {
			err := auth.Identity{Subject: "alice", Claims: test.claims}.Validate()
			if (err == nil) != test.ok {
				t.Errorf("Validate: %v", err)
			}
		})
	}
}

func TestClaimsDecode(t *testing.T) {
	claims, err := auth.NewClaims(profile{"Alice", 7})
	if err != nil {
		t.Fatal(err)
	}
	var got profile
	if err := claims.Decode(&got); err != nil || got != (profile{"Alice", 7}) {
		t.Errorf("Decode: %+v, %v", got, err)
	}

	kept := profile{Name: "as before"}
	if err := auth.Claims("").Decode(&kept); err != nil || kept.Name != "as before" {
		t.Errorf("Decode without claims: %+v, %v", kept, err)
	}

	var wrong struct {
		Name int `json:"name"`
	}
	if err := claims.Decode(&wrong); err == nil || strings.Contains(err.Error(), "Alice") {
		t.Errorf("Decode of a string into an int: %v", err)
	}
	if err := claims.Decode(nil); err == nil {
		t.Error("Decode into nil returned no error")
	}
}

// Accepted claims are one object that no decoder reads as having a registered name,
// and they are unchanged when they are encoded again.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"a":1}`, `{"a":1,"a":2}`, `{"sub":"x"}`, `{"ſub":1}`, `{"\u017fub":1}`, `[{}]`, `{"a":{"sub":1}}`,
		`{"a":1}{"b":2}`, "{\"\xff\":1}", `{"AUD":[]}`, ` { "a" : 1e999 } `, `{"K":1,"k":2}`, `{"<":">"}`, `{"\ud800":1}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		made, err := auth.NewClaims(json.RawMessage(text))
		if err == nil && made != "" {
			wellFormed(t, made)
		}
		if err != nil && made != "" {
			t.Fatalf("claims %q beside the error %v", made, err)
		}
		if given := auth.Claims(text); given != "" && (auth.Identity{Subject: "x", Claims: given}).Validate() == nil {
			wellFormed(t, given)
		}
	})
}

func wellFormed(t *testing.T, claims auth.Claims) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(claims), &members); err != nil || members == nil {
		t.Fatalf("%q is not an object: %v", claims, err)
	}
	if !utf8.ValidString(string(claims)) {
		t.Fatalf("%q is not UTF-8", claims)
	}
	// A decoder matches no member to a field of a registered claim, in upper or lower case.
	var fields struct {
		Iss, Sub, Aud, Exp, Nbf, Iat, Jti, Scope, Acr, Amr, Sid, Fam, Azp, Act, Cnf json.RawMessage

		ClientID json.RawMessage `json:"client_id"`
		AuthTime json.RawMessage `json:"auth_time"`
		MayAct   json.RawMessage `json:"may_act"`
	}
	if err := json.Unmarshal([]byte(claims), &fields); err != nil {
		t.Fatal(err)
	}
	if empty, _ := json.Marshal(fields); strings.Count(string(empty), "null") != len(registered) {
		t.Fatalf("%q has a registered name", claims)
	}
	again, err := auth.NewClaims(json.RawMessage(claims))
	if err != nil {
		t.Fatalf("%q is not accepted again: %v", claims, err)
	}
	var repeated map[string]json.RawMessage
	if err := again.Decode(&repeated); err != nil || len(repeated) != len(members) {
		t.Fatalf("%q became %q", claims, again)
	}
}
