package jose

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"slices"
)

// maxMint is the maximum length of a minted token in bytes.
const maxMint = MaxToken / 2

// SigningKey signs tokens of one typ. It is immutable and safe for concurrent use.
type SigningKey struct {
	verification *VerificationKey
	raw          any // crypto.Signer or []byte
	engine       signer
	header       string // encoded, with a trailing dot
}

// NewSigningKey returns a key that signs tokens of the given typ. raw is a
// crypto.Signer of an Ed25519, P-256 or RSA key of at least 3072 bits, or the []byte
// of an HMAC secret. The kid is the thumbprint.
//
// NewSigningKey signs once and verifies the signature with the public key, so a
// signer whose private and public key do not match is refused. The error is an
// [ErrKey].
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
		raw.Precompute() // now, before concurrent use
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

// publicOf returns the public key of a signer, or an HMAC secret itself. It recovers
// from a panic of a foreign signer.
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

// signerFor returns the engine's signer for keys in memory. It calls other signers
// directly, such as keys in a KMS. ECDSA keys are called directly as well: the engine
// copies the key for each signature, which loses precomputed values of the standard
// library and takes a tenth more time.
func signerFor(raw any, alg Algorithm) (signer, error) {
	switch raw.(type) {
	case ed25519.PrivateKey, *rsa.PrivateKey, []byte:
		return newSigner(alg)
	}
	return directSigner{alg}, nil
}

// encodeHeader encodes the header, which is the same for every token of the key.
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

// Verification returns the key that verifies the signatures of this one.
func (k *SigningKey) Verification() *VerificationKey { return k.verification }

var (
	errMintSize = refuse(ErrSign, "the token would be longer than 4096 bytes; shorten its claims")
	errMint     = refuse(ErrSign, "the signer failed")
)

// Mint signs a payload, which must be acceptable to [Set.Verify]. The error is an
// [ErrSign] or an [ErrMalformed].
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

// signInput recovers from a panic of the engine or of a foreign signer, and checks
// the length of the signature.
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

// sign signs input and verifies the signature.
func (k *SigningKey) sign(input []byte) ([]byte, error) {
	signature, err := k.signInput(input)
	if err != nil {
		return nil, err
	}
	return signature, k.verification.verify(input, signature)
}
