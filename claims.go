package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/authlatch/auth/internal/registered"
)

// Claims are the application's own facts about a log-in: the text of a JSON
// object, or nothing. They are made by [NewClaims] and immutable. Sessions
// keep them on the server; an access token shows them to whoever holds it.
type Claims string

// NewClaims turns v, a struct or a map, into claims as encoding/json does. It
// is an error if v is no JSON object in UTF-8, if a member stands twice, or if
// a member has the name of a registered claim such as "sub" or "scope", in
// whatever case. A nil v gives no claims.
func NewClaims(v any) (Claims, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("auth: claims: %w", err)
	}
	if string(text) == "null" {
		return "", nil
	}
	claims := Claims(text)
	if err := claims.validate(); err != nil {
		return "", err
	}
	return claims, nil
}

// Decode stores the claims in the value that v points to, as [json.Unmarshal]
// does. Without claims it leaves the value as it is.
func (c Claims) Decode(v any) error {
	if c == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(c), v); err != nil {
		// The error of the decoder tells what it has found.
		return fmt.Errorf("auth: claims do not fit into %T", v)
	}
	return nil
}

// validate is the rule of [NewClaims], for claims that came another way.
func (c Claims) validate() error {
	if c == "" {
		return nil
	}
	text := []byte(c)
	if !json.Valid(text) || !utf8.Valid(text) || bytes.TrimLeft(text, " \t\r\n")[0] != '{' {
		return errors.New("auth: claims are no JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.Token() // the opening brace
	seen := make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("auth: claims: %w", err)
		}
		name := token.(string)
		if seen[name] {
			return fmt.Errorf("auth: claim %q stands twice", name)
		}
		seen[name] = true
		// In either mode, so that changing the mode changes nothing.
		if registered.Alike(name) {
			return fmt.Errorf("auth: claim %q is registered", name)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("auth: claims: %w", err)
		}
	}
	return nil
}
