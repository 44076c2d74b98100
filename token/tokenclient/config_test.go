package tokenclient_test

import (
	"strings"
	"testing"

	"github.com/authlatch/auth/token/tokenclient"
)

// A wrong origin is named by its field and index, with what is wrong, and without the
// secrets that it may hold.
func TestAWrongOriginNamesItsField(t *testing.T) {
	for origin, want := range map[string]string{
		"https://api.example.com/":         `only "https://api.example.com" would be`,
		"https://api.example.com/?secret":  `only "https://api.example.com" would be`,
		"HTTPS://api.example.com":          `only "https://api.example.com" would be`,
		"http://api.example.com":           "plain http to a host that is not loopback",
		"https://user:secret@example.com":  "it contains a user name",
		"https://user:secret@example.com:": "it contains a user name",
		"https://user:secret%zz@a":         "it is not a URL",
		"api.example.com":                  "it is not a URL with a host",
		"":                                 "it is not a URL with a host",
		"ws://api.example.com":             "it is not https",
	} {
		config := tokenclient.Config{Origins: []string{apiOrigin, origin}, Refresh: tokenclient.RefreshAt(refreshURL, nil)}
		_, err := tokenclient.New(config)
		if err == nil || !strings.HasPrefix(err.Error(), "tokenclient: Config.Origins[1] is not of the form https://host[:port]: ") ||
			!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", origin, err, want)
		}
	}
}
