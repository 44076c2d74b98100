package jose

import (
	"strings"

	"github.com/authlatch/auth/internal/strictjson"
)

const (
	maxHeader            = 1024
	maxCertificateHeader = 8192 // x5c has a kilobyte or two for each RSA certificate
	maxKeyID             = 128
)

var (
	errHeader       = refuse(ErrMalformed, "header is too long")
	errExtension    = refuse(ErrMalformed, "header has a member that is refused")
	errKeyID        = refuse(ErrMalformed, "kid is missing or not well-formed")
	errNoAlgorithm  = refuse(ErrAlgorithm, "alg is missing or not supported")
	errAlgorithm    = refuse(ErrAlgorithm, "alg is not that of the key")
	errTypeText     = refuse(ErrMalformed, "typ is not well-formed")
	errType         = refuse(ErrType, "typ is not accepted")
	errCertificates = refuse(ErrMalformed, "header names a certificate or a URL")
)

// header holds the relevant members of a token's header. It is immutable.
type header struct {
	segment      string // as it was received
	alg          Algorithm
	kid          string
	typ          string // in lower case, without application/; empty if absent
	certificates bool   // jku, x5u, x5c, x5t or x5t#S256 is present
}

// parseHeader decodes a header that no key has accepted yet, of at most maximum bytes.
// kid may be missing.
func parseHeader(segment string, maximum int) (*header, error) {
	if base64url.DecodedLen(len(segment)) > maximum {
		return nil, errHeader
	}
	decoded, err := base64url.DecodeString(segment)
	if err != nil {
		return nil, errBase64
	}
	members, err := strictjson.ParseObject(decoded)
	if err != nil {
		return nil, malformed(err)
	}
	// The clone avoids keeping the whole token in memory.
	h := &header{segment: strings.Clone(segment)}
	for _, m := range members {
		if err := h.set(string(m.Name), m.Value); err != nil {
			return nil, err
		}
	}
	if h.alg == "" {
		return nil, errNoAlgorithm
	}
	return h, nil
}

// set reads one member.
func (h *header) set(name string, value strictjson.Value) error {
	switch name {
	case "alg":
		return h.setAlgorithm(value)
	case "kid":
		return h.setKeyID(value)
	case "typ":
		return h.setType(value)
	case "crit", "b64", "zip", "cty", "jwk":
		return errExtension
	case "jku", "x5u", "x5c", "x5t", "x5t#S256":
		h.certificates = true
	}
	return nil
}

func (h *header) setAlgorithm(value strictjson.Value) error {
	name, _ := value.Text()
	alg, ok := algorithmNamed(name)
	if !ok {
		return errNoAlgorithm
	}
	h.alg = alg
	return nil
}

func (h *header) setKeyID(value strictjson.Value) error {
	kid, _ := value.Text()
	if !validKeyID(kid) {
		return errKeyID
	}
	h.kid = kid
	return nil
}

// validKeyID restricts a kid to characters that are safe in a log and in a map.
// Amazon Cognito uses plain base64, so a slash is allowed: a kid must never be used
// in a path.
func validKeyID(kid string) bool {
	for i := range len(kid) {
		if c := kid[i]; !inAlphabet[c] && strings.IndexByte("~:@+/=", c) < 0 {
			return false
		}
	}
	return 0 < len(kid) && len(kid) <= maxKeyID
}

// setType normalizes typ for comparison (RFC 7515, 4.1.9). It accepts only ASCII,
// because some other letters become ASCII in lower case.
func (h *header) setType(value strictjson.Value) error {
	typ, _ := value.Text()
	for i := range len(typ) {
		if typ[i] <= ' ' || typ[i] > '~' {
			return errTypeText
		}
	}
	typ = strings.ToLower(typ)
	if rest, ok := strings.CutPrefix(typ, "application/"); ok && !strings.Contains(rest, "/") {
		typ = rest
	}
	if typ == "" {
		return errTypeText
	}
	h.typ = typ
	return nil
}
