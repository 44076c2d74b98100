package token_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
	"github.com/authlatch/auth/token/tokenclient"
)

// holder is a struct of an application. fmt calls no method of what it holds.
type holder struct{ held any }

// printed is a value as every verb prints it.
func printed(v any) string {
	var text strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%e"} {
		fmt.Fprintf(&text, verb+"\n", v)
	}
	return text.String()
}

// spellings are the ways in which fmt and people write the beginning of bytes.
func spellings(secret []byte) []string {
	part := secret[:9]
	quoted := strconv.Quote(string(part))
	return []string{
		string(part), quoted[1 : len(quoted)-1],
		hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
		strings.Trim(fmt.Sprint(part), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}"),
		base64.StdEncoding.EncodeToString(part), base64.URLEncoding.EncodeToString(part),
	}
}

// Printing a value by mistake, with any verb, shows no key and no token.
func TestNothingThatIsPrintedShowsASecret(t *testing.T) {
	for _, algorithm := range []token.Algorithm{token.HS256, token.Ed25519, token.ES256} {
		keys := newKeys(t, algorithm)
		i := newIssuer(t, over(&store.Memory{}, keys), func(c *token.IssuerConfig) { c.RevocationCheck = true })
		tokens := issued(t, i)
		verified, err := i.Verify(t.Context(), tokens.AccessToken)
		must(t, err)
		remote, err := token.NewRemoteKeySet("https://issuer.example/jwks", token.RemoteConfig{})
		must(t, err)
		must(t, remote.Close())
		client, err := tokenclient.New(tokenclient.Config{
			Origins: []string{"https://api.example"}, Refresh: tokenclient.RefreshAt("https://login.example/refresh", nil), Base: http.DefaultTransport,
		})
		must(t, err)
		must(t, client.SetTokens(tokenclient.Tokens(tokens)))
		list, err := i.Logins(t.Context(), "alice")
		must(t, err)

		hidden := map[string][]byte{
			"the access token":  []byte(tokens.AccessToken[len(tokens.AccessToken)-20:]),
			"the refresh token": []byte(tokens.RefreshToken[len(tokens.RefreshToken)-20:]),
		}
		for n, text := range secrets(t, keys) {
			hidden[fmt.Sprint("the text of secret ", n)] = []byte(text)
			raw, err := b64.DecodeString(text)
			must(t, err)
			hidden[fmt.Sprint("secret ", n)] = raw
		}
		for _, pointer := range []any{verified, keys, i, i.Verifier, remote, client, &list[0]} {
			value := reflect.ValueOf(pointer).Elem().Interface()
			for how, v := range map[string]any{
				"as a pointer": pointer, "as a value": value,
				"a pointer within": holder{pointer}, "a value within": holder{value}, "deep within": &holder{&holder{pointer}},
			} {
				text := printed(v)
				for what, secret := range hidden {
					for _, spelling := range spellings(secret) {
						if strings.Contains(text, spelling) {
							t.Errorf("%s: %T %s shows %s: %.20q", algorithm, pointer, how, what, spelling)
						}
					}
				}
			}
		}
	}
}
