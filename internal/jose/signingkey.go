package jose

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"slices"
)

// maxMint is how many bytes a minted token has at most.
const maxMint = MaxToken / 2

// SigningKey mints tokens of one typ. It is immutable and may be used by many
// goroutines at once.
type SigningKey struct {
	verification *VerificationKey
	raw          any // crypto.Signer or []byte
	engine       signer
	header       string // encoded, with the dot behind it
}

// NewSigningKey makes a key that mints tokens of the given typ with a
// crypto.Signer of an Ed25519, P-256 or RSA key of at least 3072 bits, or with
// the []byte of an HMAC secret. The kid is the thumbprint.
//
// It signs once, and the public key must verify that: a signer whose halves do
// not belong together is refused. The error is an [ErrKey].
func NewSigningKey(raw any, typ string) (*SigningKey, error) {
	public, err := publicOf(raw)
	if err != nil {
		return nil, err
	}
	key := &SigningKey{raw: raw}
	switch raw := raw.(type) {
	case []byte:
		key.raw = slices.Clone(raw)
	case *rsa.PrivateKey:
		raw.Precompute() // now, while nobody else uses it
	}
	if key.verification, err = NewVerificationKey(public, "", "", KeyRules{}); err != nil {
		return nil, err
	}
	if key.engine, err = signerFor(raw, key.verification.alg); err != nil {
		return nil, err
	}
	if key.header, err = key.encodeHeader(typ); err != nil {
		return nil, err
	}
	if _, err := key.sign([]byte(key.header)); err != nil {
		return nil, errSelfSign
	}
	return key, nil
}

var errSelfSign = refuse(ErrKey, "a signer fails its self-check")

// publicOf returns what verifies. A panic of a foreign signer is contained.
func publicOf(raw any) (public any, err error) {
	defer func() {
		if recover() != nil {
			public, err = nil, errKeyKind
		}
	}()
	switch raw := raw.(type) {
	case []byte:
		return raw, checkRandom(raw)
	case crypto.Signer:
		return raw.Public(), nil
	}
	return nil, errKeyKind
}

// signerFor takes the engine for keys in memory. A key that is elsewhere is
// asked directly. So is one for ECDSA: the engine copies it for each signature,
// by which the standard library loses what it has computed before, a tenth of
// the time.
func signerFor(raw any, alg Algorithm) (signer, error) {
	switch raw.(type) {
	case ed25519.PrivateKey, *rsa.PrivateKey, []byte:
		return newSigner(alg)
	}
	return directSigner{alg}, nil
}

// encodeHeader encodes the header, the same one for every token of the key.
func (k *SigningKey) encodeHeader(typ string) (string, error) {
	text, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		KeyID     string    `json:"kid"`
		Type      string    `json:"typ"`
	}{k.verification.alg, k.verification.id, typ})
	if err != nil {
		return "", err
	}
	segment := base64url.EncodeToString(text)
	if h, err := parseHeader(segment, maxHeader); err != nil || h.typ != typ {
		return "", errTypeText
	}
	return segment + ".", nil
}

// Verification returns the key that verifies what this one signs.
func (k *SigningKey) Verification() *VerificationKey { return k.verification }

var (
	errMintSize = refuse(ErrSign, "the token would be longer than 4096 bytes")
	errMint     = refuse(ErrSign, "the signer failed")
)

// Mint signs a payload, which must be what [Set.Verify] would accept. The
// error is an [ErrSign] or an [ErrMalformed].
func (k *SigningKey) Mint(payload []byte) (string, error) {
	input := len(k.header) + base64url.EncodedLen(len(payload))
	size := input + 1 + base64url.EncodedLen(k.verification.size)
	if size > maxMint {
		return "", errMintSize
	}
	if _, err := checkClaims(payload, &Form{}); err != nil {
		return "", err
	}
	token := append(make([]byte, 0, size), k.header...)
	token = base64url.AppendEncode(token, payload)
	signature, err := k.signInput(token)
	if err != nil {
		return "", err
	}
	return string(base64url.AppendEncode(append(token, '.'), signature)), nil
}

// signInput contains a panic of the engine or of a foreign signer, and makes
// sure that what comes back can be a signature.
func (k *SigningKey) signInput(input []byte) (signature []byte, err error) {
	defer func() {
		if recover() != nil {
			signature, err = nil, errMint
		}
	}()
	signature, err = k.engine.Sign(input, k.raw)
	if err != nil || len(signature) != k.verification.size {
		return nil, errMint
	}
	return signature, nil
}

// sign signs, and verifies the signature.
func (k *SigningKey) sign(input []byte) ([]byte, error) {
	signature, err := k.signInput(input)
	if err != nil {
		return nil, err
	}
	return signature, k.verification.verify(input, signature)
}
