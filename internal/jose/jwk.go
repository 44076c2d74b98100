package jose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"slices"

	"github.com/authlatch/auth/internal/strictjson"
)

// PublicJWK is the public part of a key as JSON (RFC 7517, 4). It has no field for a
// secret.
type PublicJWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	Use       string `json:"use,omitempty"`
	KeyID     string `json:"kid,omitempty"`
}

// PublicJWK returns the key for publication, and false if it is a secret.
func (k *VerificationKey) PublicJWK() (PublicJWK, bool) {
	jwk, ok := publicMembers(k.raw())
	jwk.Algorithm, jwk.Use, jwk.KeyID = string(k.alg), "sig", k.id
	if !ok {
		return PublicJWK{}, false
	}
	return jwk, true
}

// publicMembers encodes a raw key that has passed its checks.
func publicMembers(raw any) (PublicJWK, bool) {
	encode := base64url.EncodeToString
	switch raw := raw.(type) {
	case ed25519.PublicKey:
		return PublicJWK{KeyType: "OKP", Curve: "Ed25519", X: encode(raw)}, true
	case *ecdsa.PublicKey:
		point, err := raw.Bytes()
		if err != nil {
			return PublicJWK{}, false
		}
		x, y := point[1:1+p256Size], point[1+p256Size:]
		return PublicJWK{KeyType: "EC", Curve: "P-256", X: encode(x), Y: encode(y)}, true
	case *rsa.PublicKey:
		e := big.NewInt(int64(raw.E)).Bytes()
		return PublicJWK{KeyType: "RSA", N: encode(raw.N.Bytes()), E: encode(e)}, true
	}
	return PublicJWK{}, false
}

// thumbprint is the SHA-256 of the required members of the key, in lexicographic
// order (RFC 7638, 3; RFC 8037, 2).
func thumbprint(raw any) string {
	var text []byte
	m, _ := publicMembers(raw)
	switch m.KeyType {
	case "OKP":
		text = []byte(`{"crv":"Ed25519","kty":"OKP","x":"` + m.X + `"}`)
	case "EC":
		text = []byte(`{"crv":"P-256","kty":"EC","x":"` + m.X + `","y":"` + m.Y + `"}`)
	case "RSA":
		text = []byte(`{"e":"` + m.E + `","kty":"RSA","n":"` + m.N + `"}`)
	default:
		secret, _ := raw.([]byte)
		text = []byte(`{"k":"` + base64url.EncodeToString(secret) + `","kty":"oct"}`)
	}
	sum := sha256.Sum256(text)
	return base64url.EncodeToString(sum[:])
}

// jwk holds the relevant members of a parsed JWK.
type jwk struct {
	PublicJWK
	secret     string   // k
	private    []string // the other private members; "" for one that is not a string
	operations []string
	restricted bool // key_ops is present
}

var (
	errJWK        = refuse(ErrKey, "a JWK is malformed")
	errJWKUse     = refuse(ErrKey, "a JWK is not for signatures")
	errJWKNumber  = refuse(ErrKey, "a number in a JWK is not canonical base64url")
	errUnknownKey = refuse(ErrKey, "a JWK has an unknown kty")
)

// readJWK reads the text of a JSON object that has passed [strictjson.CheckObject]. It reads all
// members even if one is malformed, because another one may be a secret. Members that
// are ignored cost no allocation, because a hostile set may have many.
func readJWK(text []byte) (k jwk, err error) {
	for m := range strictjson.Object(text).Members {
		if !k.set(m.Name, m.Value) {
			err = errJWK
		}
	}
	return k, err
}

// hasSecret reports whether the JWK has private or secret members.
func (k *jwk) hasSecret() bool {
	return len(k.private) > 0 || k.secret != "" || k.KeyType == "oct"
}

// set reads one member, and reports whether it has the right type.
func (k *jwk) set(name []byte, value strictjson.Value) bool {
	if field := k.text(name); field != nil {
		text, ok := value.Text()
		*field = text
		return ok && text != ""
	}
	switch string(name) {
	case "d", "p", "q", "dp", "dq", "qi", "oth":
		number, _ := value.Text()
		k.private = append(k.private, number)
	case "key_ops":
		k.restricted = true
		return json.Unmarshal(value, &k.operations) == nil
	}
	return true
}

// text returns the field for a member that is a string, or nil.
func (k *jwk) text(name []byte) *string {
	switch string(name) {
	case "kty":
		return &k.KeyType
	case "crv":
		return &k.Curve
	case "x":
		return &k.X
	case "y":
		return &k.Y
	case "n":
		return &k.N
	case "e":
		return &k.E
	case "alg":
		return &k.Algorithm
	case "use":
		return &k.Use
	case "kid":
		return &k.KeyID
	case "k":
		return &k.secret
	}
	return nil
}

// isSecret reports whether the key is an HMAC secret and nothing else.
func (k *jwk) isSecret() bool { return k.KeyType == "oct" && len(k.private) == 0 }

// algorithm returns the algorithm that the JWK names, or "".
func (k *jwk) algorithm() (Algorithm, error) {
	if k.Algorithm == "" {
		return "", nil
	}
	alg, ok := algorithmNamed(k.Algorithm)
	if !ok {
		return "", errKeyAlg
	}
	return alg, nil
}

// usable reports whether use and key_ops allow the operation.
func (k *jwk) usable(operation string) bool {
	return (k.Use == "" || k.Use == "sig") && (!k.restricted || slices.Contains(k.operations, operation))
}

// verification returns the verification key of a JWK, or the reason why it has none.
func (k *jwk) verification(rules KeyRules) (*VerificationKey, error) {
	if !k.usable("verify") {
		return nil, errJWKUse
	}
	if k.KeyID == "" && !rules.WithoutID {
		return nil, errKeyIDBad
	}
	alg, err := k.algorithm()
	if err != nil {
		return nil, err
	}
	raw, err := k.public()
	if err != nil {
		return nil, err
	}
	return NewVerificationKey(raw, alg, k.KeyID, rules)
}

// public builds the raw key: the public part, or the secret of an oct key.
func (k *jwk) public() (any, error) {
	switch k.KeyType {
	case "OKP":
		return k.ed25519()
	case "EC":
		return k.p256()
	case "RSA":
		return k.rsa()
	case "oct":
		return decodeNumber(k.secret)
	}
	return nil, errUnknownKey
}

func (k *jwk) ed25519() (any, error) {
	if k.Curve != "Ed25519" {
		return nil, errKeyKind
	}
	x, err := decodeNumber(k.X)
	return ed25519.PublicKey(x), err
}

// p256 requires coordinates of exactly 32 bytes (RFC 7518, 6.2.1.2).
func (k *jwk) p256() (any, error) {
	if k.Curve != "P-256" {
		return nil, errKeyKind
	}
	x, err := decodeNumber(k.X)
	if err != nil {
		return nil, err
	}
	y, err := decodeNumber(k.Y)
	if err != nil {
		return nil, err
	}
	if len(x) != p256Size || len(y) != p256Size {
		return nil, errCurve
	}
	point := append(append([]byte{4}, x...), y...)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errCurve
	}
	return key, nil
}

// rsa also accepts numbers with leading zero octets, which RFC 7518, 2 forbids but
// some Java issuers write. The value of the number is the same.
func (k *jwk) rsa() (any, error) {
	n, err := decodeNumber(k.N)
	if err != nil {
		return nil, err
	}
	e, err := decodeNumber(k.E)
	if err != nil {
		return nil, err
	}
	n, e = bytes.TrimLeft(n, "\x00"), bytes.TrimLeft(e, "\x00")
	if len(n) > maxRSA/8 || len(e) > 4 {
		return nil, errRSASize
	}
	exponent := new(big.Int).SetBytes(e).Int64()
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent)}, nil
}

// decodeNumber decodes canonical base64url of at least one byte.
func decodeNumber(text string) ([]byte, error) {
	for i := range len(text) {
		if text[i] == '.' || !inAlphabet[text[i]] {
			return nil, errJWKNumber
		}
	}
	number, err := base64url.DecodeString(text)
	if err != nil || len(number) == 0 {
		return nil, errJWKNumber
	}
	return number, nil
}
