package auth

import (
	"encoding/json"
	"fmt"

	"github.com/authlatch/auth/internal/registered"
	"github.com/authlatch/auth/internal/strictjson"
)

// Claims are the application's own facts about a log-in: the text of a JSON
// object, or nothing. They are made by [NewClaims] and immutable. Sessions
// keep them on the server; an access token shows them to whoever holds it.
type Claims string

// NewClaims turns v, a struct or a map, into claims as encoding/json does. A nil
// v gives no claims. NewClaims returns an error if v is not a JSON object that
// every parser reads alike: valid UTF-8 without unpaired surrogates, nested at
// most 16 deep, no name twice within one object, and at the top level no two
// names that differ only by case. A member cannot have the name of a registered
// claim such as "sub" or "scope", in any case. Sessions and tokens accept the
// same claims.
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
	if err := strictjson.CheckObject(text); err != nil {
		return fmt.Errorf("auth: claims: %w", err)
	}
	for m := range strictjson.Object(text).Members {
		// In either mode, so that changing the mode changes nothing.
		if registered.Alike(string(m.Name)) {
			return fmt.Errorf("auth: claim %q is registered", m.Name)
		}
	}
	return nil
}
