package tokenclient

import (
	"net/http"
	"strings"
)

// concernsToken reports whether a newer token may help: the response is a 401 with a
// Bearer challenge that does not require a newer login (RFC 9470, 3), or a 401 without
// any challenge, as gateways send it. Such a 401 precedes the handler.
func concernsToken(response *http.Response) bool {
	if response.StatusCode != http.StatusUnauthorized {
		return false
	}
	fields := response.Header.Values("WWW-Authenticate")
	for _, c := range challenges(fields) {
		if c.scheme == "bearer" && c.parameters["error"] != "insufficient_user_authentication" {
			return true
		}
	}
	return strings.TrimSpace(strings.Join(fields, "")) == ""
}

// challenge is a challenge of a WWW-Authenticate header.
type challenge struct {
	scheme     string            // in lower case
	parameters map[string]string // names in lower case; nil if there are none
}

// challenges parses the challenges in all values of the header (RFC 9110, 11.6.1). A
// comma separates challenges as well as parameters, and a quoted string may contain
// commas. A malformed part ends the parsing of its value.
func challenges(values []string) (all []challenge) {
	for _, value := range values {
		for rest := skipSeparators(value); rest != ""; rest = skipSeparators(rest) {
			var word string
			if word, rest = cutToken(rest); word == "" {
				break
			}
			name, after := strings.ToLower(word), strings.TrimLeft(rest, " \t")
			if !strings.HasPrefix(after, "=") || len(all) == 0 {
				all = append(all, challenge{scheme: name})
				rest = skipToken68(rest)
				continue
			}
			var text string
			if text, rest = cutValue(strings.TrimLeft(after[1:], " \t")); rest == malformed {
				break
			}
			last := &all[len(all)-1]
			if last.parameters == nil {
				last.parameters = make(map[string]string)
			}
			last.parameters[name] = text
		}
	}
	return all
}

// malformed is the rest of a value that cannot be parsed. A header never contains NUL.
const malformed = "\x00"

func skipSeparators(text string) string { return strings.TrimLeft(text, " \t,") }

// cutToken cuts a token (RFC 9110, 5.6.2) from the front.
func cutToken(text string) (token, rest string) {
	end := 0
	for end < len(text) && isTokenByte(text[end]) {
		end++
	}
	return text[:end], text[end:]
}

func isTokenByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// skipToken68 skips the token68 that may follow a scheme. Unlike the name of a
// parameter, a token68 is followed by a comma or by the end of the value.
func skipToken68(text string) string {
	rest := strings.TrimLeft(text, " ")
	end := 0
	for end < len(rest) && (isTokenByte(rest[end]) || rest[end] == '/') {
		end++
	}
	after := strings.TrimLeft(rest[end:], "=")
	if end > 0 && rest != text && (after == "" || strings.HasPrefix(strings.TrimLeft(after, " \t"), ",")) {
		return after
	}
	return text
}

// cutValue cuts a token or a quoted string from the front.
func cutValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		return cutToken(text)
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:]
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", malformed
}
