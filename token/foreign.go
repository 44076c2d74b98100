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

// Foreign relaxes what a [Verifier] accepts, for tokens of an issuer that does not
// follow RFC 9068. Each field relaxes one rule, except Require, which adds one.
//
// The zero value accepts a lifetime of 24 hours and tokens of 16 KiB. It reads claims
// on which acceptance does not depend leniently:
//
//   - An nbf of 0 is ignored.
//   - An auth_time, amr, sid or scope of the wrong type is ignored. The identity then
//     lacks the field.
//   - A scope may be an array, or have extra spaces.
type Foreign struct {
	// Types are values of typ that are accepted in addition to "at+jwt", such as
	// "JWT". The empty string stands for a header without typ. If the issuer uses
	// such a type for other tokens too, Require must distinguish its access tokens
	// (RFC 8725, 3.12).
	Types []string

	// Require are claims that a token must have, with exactly these strings, such
	// as "token_use": "access".
	Require map[string]string

	// RS256 accepts RSA signatures with the padding of PKCS #1 v1.5.
	RS256 bool

	// RSA2048 accepts RSA keys of 2048 to 3071 bits (ASVS 5.0, 11.2.3 requires
	// 3072).
	RSA2048 bool

	// CertificateHeaders ignores the header's jku, x5u, x5c, x5t and x5t#S256
	// instead of refusing the token. Their values are never used.
	CertificateHeaders bool

	// FractionalDates accepts dates with a fraction of a second (RFC 7519, 2),
	// and truncates them to seconds.
	FractionalDates bool

	// AudienceClaim is the claim that is read instead of aud, such as "client_id".
	// The default is aud.
	AudienceClaim string

	// ScopeClaim is the claim that is read instead of scope, such as "scp". It must
	// be a string or an array of strings. The default is scope.
	ScopeClaim string

	// ClientClaim is the claim that is read instead of client_id, such as "azp" or
	// "cid". The default is client_id.
	ClientClaim string

	// WithoutID accepts tokens without jti, or with a jti that is not a string of 1
	// to 128 bytes. [Token.ID] is then empty.
	WithoutID bool

	// WithoutClient accepts tokens without the claim that names the client, or with
	// a value that is not a string of 1 to 255 bytes. [Token.ClientID] is then empty.
	WithoutClient bool

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
	form.Certificates, form.Fractions = f.CertificateHeaders, f.FractionalDates
	form.Long, form.Lenient, form.WithoutKeyID = true, true, f.WithoutKeyID
	r.Lenient, r.WithoutClient = true, f.WithoutClient
	r.WithoutID, r.ScopeNamed, r.Required = f.WithoutID, f.ScopeClaim != "", maps.Clone(f.Require)
	if r.Lifetime = foreignLifetime; f.MaxLifetime > 0 {
		r.Lifetime = f.MaxLifetime
	}
	for _, name := range [...]struct {
		field, claim string
		to           *string
	}{
		{"AudienceClaim", f.AudienceClaim, &r.AudienceClaim},
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
	switch {
	case key.Algorithm() == jose.RS256 && (f == nil || !f.RS256):
		return false
	case bits == 0 || bits >= minimum:
		return true
	}
	return f != nil && f.RSA2048
}
