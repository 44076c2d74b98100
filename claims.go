package auth

import (
	"encoding/json"
	"fmt"

	"github.com/authlatch/auth/internal/registered"
	"github.com/authlatch/auth/internal/strictjson"
)

// Claims are the application's own facts about a login: the text of a JSON object,
// or empty. [NewClaims] makes them. They are immutable. Sessions keep them on the
// server. An access token is not encrypted, so every holder of it can read them.
type Claims string

// NewClaims encodes v, a struct or a map, as encoding/json does. A nil v gives
// empty claims. Sessions and tokens accept the same claims.
//
// NewClaims returns an error unless the result is a JSON object that every parser
// reads the same way:
//
//   - It is valid UTF-8 without unpaired surrogates.
//   - It is nested at most 16 deep.
//   - No object has two members of the same name.
//   - At the top level, no two names differ only by case.
//
// At the top level, the name of a registered claim such as "sub" or "scope" is
// also an error, whatever its case.
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
// does. Empty claims leave the value unchanged.
func (c Claims) Decode(v any) error {
	if c == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(c), v); err != nil {
		// The error of the decoder could disclose a value of a claim.
		return fmt.Errorf("auth: claims do not fit into %T", v)
	}
	return nil
}

// validate applies the rules of [NewClaims] to claims that were not made by it.
func (c Claims) validate() error {
	if c == "" {
		return nil
	}
	text := []byte(c)
	if err := strictjson.CheckObject(text); err != nil {
		return fmt.Errorf("auth: claims: %w", err)
	}
	for m := range strictjson.Object(text).Members {
		// Checked in both modes, so that an application can change its mode.
		if registered.Alike(string(m.Name)) {
			return fmt.Errorf("auth: claim %q is registered", m.Name)
		}
	}
	return nil
}
