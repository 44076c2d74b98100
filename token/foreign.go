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

// Foreign loosens what a [Verifier] accepts, for tokens of an issuer that does
// not follow RFC 9068. Each field loosens one thing, but for Require. The zero
// value admits a lifetime of 24 hours and tokens of 16 KiB, and it reads claims
// that decide nothing leniently: an nbf of 0, and an auth_time, amr, sid or scope
// that is not of its type, are as good as none; a scope may be an array or have
// spaces too many. What they would have proved is then not proved.
type Foreign struct {
	// Types are values of typ that are accepted beside "at+jwt", such as "JWT".
	// The empty string stands for a header without typ. Where such tokens are
	// not access tokens alone, Require must tell them apart (RFC 8725, 3.12).
	Types []string

	// Require are claims that must be there, with exactly these strings, such
	// as "token_use": "access".
	Require map[string]string

	// RS256 accepts RSA signatures with the padding of PKCS #1 v1.5.
	RS256 bool

	// RSA2048 accepts RSA keys of 2048 to 3071 bits (ASVS 5.0, 11.2.3 asks for
	// 3072).
	RSA2048 bool

	// CertificateHeaders ignores the header's jku, x5u, x5c, x5t and x5t#S256
	// instead of refusing the token. They are never used.
	CertificateHeaders bool

	// FractionalDates accepts dates with a fraction of a second (RFC 7519, 2),
	// and cuts it off.
	FractionalDates bool

	// AudienceClaim is the claim that stands for aud, such as "client_id". aud
	// itself does not count then.
	AudienceClaim string

	// ScopeClaim is the claim that stands for scope, such as "scp": a string,
	// or an array of strings, and nothing else. scope itself does not count then.
	ScopeClaim string

	// ClientClaim is the claim that stands for client_id, such as "azp" or
	// "cid". client_id itself does not count then.
	ClientClaim string

	// WithoutID accepts tokens without jti, or with one that is not a string of 1
	// to 128 bytes. [Token.ID] is empty then.
	WithoutID bool

	// WithoutClient accepts tokens without the claim that names the client, or
	// with one that is not a string of 1 to 255 bytes. [Token.ClientID] is empty
	// then.
	WithoutClient bool

	// WithoutKeyID accepts tokens without kid, if all keys of the issuer have one
	// kid, or there is only one and it has none. The signature decides, as ever.
	WithoutKeyID bool

	// MaxLifetime is the most that exp may be after iat. The default is 24
	// hours. For own tokens it is one hour.
	MaxLifetime time.Duration
}

// foreignLifetime is the default of [Foreign.MaxLifetime].
const foreignLifetime = 24 * time.Hour

// loosen changes the rules for own tokens.
func (f *Foreign) loosen(r *claims.Rules, form *jose.Form) error {
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
			return fmt.Errorf("token: Foreign.%s is a claim with a meaning of its own", name.field)
		}
		if name.claim != "" {
			*name.to = name.claim
		}
	}
	return nil
}

// admits reports whether a key that has verified a signature may do so.
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
