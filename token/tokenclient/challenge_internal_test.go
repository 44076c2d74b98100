package tokenclient

import (
	"fmt"
	"testing"
)

// agentgateway#3172: several challenges in one field (RFC 9110, 11.6.1).
func TestChallengesAreReadWhole(t *testing.T) {
	for text, want := range map[string]string{
		``:       `[]`,
		`Bearer`: `[{bearer map[]}]`,
		`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`: `[{basic map[realm:simple]} {newauth map[realm:apps title:Login to "apps" type:1]}]`,
		`Negotiate, Bearer error="invalid_token"`:                                       `[{negotiate map[]} {bearer map[error:invalid_token]}]`,
		`Negotiate YII/+x==, Bearer error=invalid_token`:                                `[{negotiate map[]} {bearer map[error:invalid_token]}]`,
		`,, Bearer , , realm = "a" ,Basic`:                                              `[{bearer map[realm:a]} {basic map[]}]`,
		`BEARER ERROR="x"`:                                                              `[{bearer map[error:x]}]`,
		`Bearer error="x`:                                                               `[{bearer map[]}]`,
		`Digest nonce="a,b=c, Bearer d", Bearer`:                                        `[{digest map[nonce:a,b=c, Bearer d]} {bearer map[]}]`,
		`Bearer abc`:                                                                    `[{bearer map[]}]`,
		`Bearer abc def`:                                                                `[{bearer map[]} {abc map[]}]`,
		`=x, Bearer`:                                                                    `[]`,
		"Bearer\trealm=x":                                                               `[{bearer map[realm:x]}]`,
	} {
		if got := fmt.Sprint(challenges([]string{text})); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func FuzzChallenges(f *testing.F) {
	f.Add(`Basic realm="simple", Newauth a=b, Bearer x==`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range challenges([]string{text, text}) {
			if c.scheme == "" {
				t.Fatalf("%q: a challenge without a scheme", text)
			}
		}
	})
}
