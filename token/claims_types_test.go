package token_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// wrongTypes are values of every JSON type.
var wrongTypes = map[string]string{
	"null": `null`, "true": `true`, "7": `7`, "-1": `-1`, "1.5": `1.5`, "1e3": `1e3`, "huge": `1` + strings.Repeat("0", 400),
	"empty": `""`, "text": `"x"`, "long": `"` + strings.Repeat("x", 1000) + `"`, "control": `"a\u0000\n"`,
	"[]": `[]`, "[text]": `["x"]`, "[7]": `[7]`, "[[]]": `[[]]`, "[null]": `[null]`, "{}": `{}`, "{a}": `{"a":1}`,
}

// Each claim with a value of each type: own tokens accept only the types of the claim. A
// foreign token is accepted with a wrong type only where nothing depends on the claim,
// and the identity is well-formed in any case.
func TestClaimsOfEveryWrongType(t *testing.T) {
	m := newMinter(t)
	own, foreign := m.verifier(), m.foreign(token.Foreign{})
	anything := []string{"-1", "1.5", "1e3", "7", "[7]", "[[]]", "[]", "[null]", "[text]", "control", "empty", "huge", "long", "null", "text", "true", "{a}", "{}"}
	for claim, c := range map[string]struct{ own, foreign []string }{
		"iss":       {nil, nil},
		"sub":       {[]string{"control", "text"}, []string{"control", "text"}}, // events show it without them
		"aud":       {nil, nil},
		"exp":       {nil, nil},
		"iat":       {nil, nil}, // 7 is a long lifetime
		"nbf":       {[]string{"7"}, []string{"1.5", "7", "null"}},
		"cnf":       {nil, []string{"null"}},
		"jti":       {[]string{"control", "text"}, anything},
		"client_id": {[]string{"control", "text"}, anything},
		"sid":       {[]string{"control", "text"}, anything},
		"fam":       {[]string{"control", "text"}, anything},
		"scope":     {[]string{"empty", "long", "text"}, anything},
		"amr":       {[]string{"[]", "[text]"}, anything},
		"auth_time": {[]string{"7"}, anything},
		"acr":       {anything, anything},
		"azp":       {anything, anything},
		"groups":    {anything, anything}, // of the application
	} {
		for kind, v := range map[string]*token.Verifier{"own": own, "foreign": foreign} {
			var accepted []string
			for name, value := range wrongTypes {
				got, err := v.Verify(t.Context(), m.mint(with(map[string]any{claim: json.RawMessage(value)})))
				switch outcome(err) {
				case "ok":
					accepted = append(accepted, name)
					wellFormed(t, got.Identity(), claim, name)
				case "bad":
				default:
					t.Errorf("%s is %s, %s: %v", claim, name, kind, err)
				}
			}
			want := c.own
			if kind == "foreign" {
				want = c.foreign
			}
			if slices.Sort(accepted); !slices.Equal(accepted, want) {
				t.Errorf("%s, %s: accepted %q, want %q", claim, kind, accepted, want)
			}
		}
	}
}

func wellFormed(t *testing.T, id auth.Identity, claim, value string) {
	t.Helper()
	subject := "alice"
	if claim == "sub" {
		subject = map[string]string{"text": "x", "control": "a\x00\n"}[value]
	}
	bare := id
	bare.Credential, bare.Issuer = nil, ""
	if err := bare.Validate(); err != nil || id.Subject != subject || id.Issuer != issuerName {
		t.Errorf("%s is %s: %+v, %v", claim, value, id, err)
	}
	if claim == "scope" && value != "text" && value != "[text]" && value != "long" && id.Scopes != "" {
		t.Errorf("%s is %s: scopes %q", claim, value, id.Scopes)
	}
}
