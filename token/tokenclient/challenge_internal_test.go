package tokenclient

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// agentgateway#3172: several challenges in one field, and none (RFC 9110, 11.6.1). The
// tests of the browser client use the same file.
func TestChallengesAreReadWhole(t *testing.T) {
	var vectors []struct {
		Fields     []string
		Challenges string
		Renews     bool
	}
	text, err := os.ReadFile("testdata/challenges.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		if got := written(challenges(v.Fields)); got != v.Challenges {
			t.Errorf("%q: %s, want %s", v.Fields, got, v.Challenges)
		}
		response := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": v.Fields}}
		if got := concernsToken(response); got != v.Renews {
			t.Errorf("%q: renews: %v", v.Fields, got)
		}
	}
}

// written writes challenges without quotes, parameters in order.
func written(all []challenge) string {
	var texts []string
	for _, c := range all {
		text := c.scheme
		for _, name := range slices.Sorted(maps.Keys(c.parameters)) {
			text += " " + name + "=" + c.parameters[name]
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
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
