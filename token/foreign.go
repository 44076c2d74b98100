package token

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authlatch/auth/internal/claims"
	"github.com/authlatch/auth/internal/jose"
)

// Foreign makes a [Verifier] accept tokens of an issuer that does not follow RFC 9068.
// docs/providers.md has the fields for common identity providers.
//
// The zero value accepts these differences, which are the choice of the issuer:
//
//   - RS256, and RSA keys of 2048 to 3071 bits, which nearly all providers use. Without
//     Foreign the minimum is 3072 (ASVS 5.0, 11.2.3).
//   - Tokens of up to 16 KiB, with a lifetime of up to 24 hours.
//   - A header with jku, x5u, x5c, x5t or x5t#S256. Their values are never used.
//   - A token without client_id or jti. [Token.ClientID] and [Token.ID] are then empty.
//   - Dates with a fraction of a second, which is cut off, and an nbf of 0.
//   - A jti, client_id, auth_time, amr, sid or scope of the wrong type, which is ignored.
//     The identity then lacks the field.
//   - A scope that is an array, or has extra spaces.
//
// Each field accepts one more difference, except Require and ClientClaim, which refuse
// more tokens.
type Foreign struct {
	// Types are values of typ that are accepted in addition to "at+jwt", such as
	// "JWT". The empty string stands for a header without typ. If the issuer uses
	// such a type for other tokens too, such as ID tokens, Require or ClientClaim must
	// distinguish its access tokens (RFC 8725, 3.12).
	Types []string

	// Require are claims that a token must have, with exactly these strings, such
	// as "token_use": "access". For the empty string any value but null suffices.
	Require map[string]string

	// AudienceClaim is the claim that is read instead of aud, such as "client_id".
	// The default is aud.
	AudienceClaim string

	// SubjectClaim is the claim that is read instead of sub, such as "oid". The issuer
	// must never give the same value to another subject, as it may do with an email
	// address or a user name. The default is sub.
	SubjectClaim string

	// ScopeClaim is the claim that is read instead of scope, such as "scp". It must
	// be a string or an array of strings. The default is scope.
	ScopeClaim string

	// ClientClaim is the claim that names the client, such as "azp", "cid" or
	// "client_id". A token without it is refused, so it may distinguish access tokens
	// from ID tokens. The default is client_id, and accepts tokens without it.
	ClientClaim string

	// WithoutKeyID accepts tokens without kid if all keys of the issuer have the same
	// kid, or if the issuer has only one key and that has no kid. The signature is
	// verified in any case.
	WithoutKeyID bool

	// MaxLifetime is the maximum time from iat to exp. The default is 24 hours.
	// Without Foreign it is one hour.
	MaxLifetime time.Duration
}

// foreignLifetime is the default of [Foreign.MaxLifetime].
const foreignLifetime = 24 * time.Hour

// relax changes the rules, which are those for own tokens.
func (f *Foreign) relax(r *claims.Rules, form *jose.Form) error {
	if f.MaxLifetime < 0 {
		return errors.New("token: Foreign.MaxLifetime is negative")
	}
	for _, typ := range f.Types {
		typ = strings.ToLower(typ)
		form.Types = append(form.Types, strings.TrimPrefix(typ, "application/"))
	}
	form.Foreign, form.WithoutKeyID = true, f.WithoutKeyID
	r.Foreign, r.ScopeNamed, r.ClientNamed, r.Required = true, f.ScopeClaim != "", f.ClientClaim != "", maps.Clone(f.Require)
	if r.Lifetime = foreignLifetime; f.MaxLifetime > 0 {
		r.Lifetime = f.MaxLifetime
	}
	for _, name := range [...]struct {
		field, claim string
		to           *string
	}{
		{"AudienceClaim", f.AudienceClaim, &r.AudienceClaim},
		{"SubjectClaim", f.SubjectClaim, &r.SubjectClaim},
		{"ScopeClaim", f.ScopeClaim, &r.ScopeClaim},
		{"ClientClaim", f.ClientClaim, &r.ClientClaim},
	} {
		if slices.Contains([]string{"iss", "sub", "exp", "nbf", "iat", "jti", "cnf"}, name.claim) {
			return fmt.Errorf("token: Foreign.%s must not be a claim that the verifier reads itself, such as iss or exp", name.field)
		}
		if name.claim != "" {
			*name.to = name.claim
		}
	}
	return nil
}

// admits reports whether a key that has verified a signature is acceptable.
func (f *Foreign) admits(key *jose.VerificationKey) bool {
	const minimum = 3072
	bits := key.RSABits()
	return f != nil || key.Algorithm() != jose.RS256 && (bits == 0 || bits >= minimum)
}
