package jose

import (
	"cmp"
	"slices"
)

// Bounds of a document.
const (
	// MaxKeys is how many keys a set has at most.
	MaxKeys = 100
	// MaxDocument is how many bytes a JWK Set has at most.
	MaxDocument = 1 << 20
)

// Set is an immutable set of verification keys: either asymmetric ones or HMAC
// secrets, and no kid twice.
type Set struct {
	keys []*VerificationKey
	byID map[string]*VerificationKey
}

var (
	errDocument  = refuse(ErrKey, "no JWK Set")
	errTooBig    = refuse(ErrKey, "a JWK Set is too big")
	errTooMany   = refuse(ErrKey, "a set has more than 100 keys")
	errTwice     = refuse(ErrKey, "two keys of a set have one kid")
	errMixed     = refuse(ErrKey, "a set mixes HMAC secrets and asymmetric keys")
	errSecretKty = refuse(ErrKey, "a public JWK Set holds a private key or a secret")
)

// NewSet makes a set. The error is an [ErrKey].
func NewSet(keys ...*VerificationKey) (*Set, error) {
	if len(keys) > MaxKeys {
		return nil, errTooMany
	}
	set := &Set{slices.Clone(keys), make(map[string]*VerificationKey, len(keys))}
	for _, key := range keys {
		if set.byID[key.id] != nil {
			return nil, errTwice
		}
		if (key.alg == HS256) != (keys[0].alg == HS256) {
			return nil, errMixed
		}
		set.byID[key.id] = key
	}
	return set, nil
}

// Has reports whether this very key is in the set. What it verified must not
// be believed any longer once it is in no set.
func (s *Set) Has(key *VerificationKey) bool {
	return key != nil && s.byID[key.id] == key
}

// Key returns the key of a kid, or nil.
func (s *Set) Key(id string) *VerificationKey { return s.byID[id] }

// Len returns how many keys the set has.
func (s *Set) Len() int { return len(s.keys) }

// ParseSet reads the public JWK Set of an issuer (RFC 7517, 5). A key that
// cannot be used is left out, and skipped says why, once per such key: its kty
// is unknown, say, or it is for encryption. A private key, a secret, two keys
// of one kid, or more than 100 keys refuse the document.
//
// A key that previous has too, unless that is nil, stays the same key for
// [Set.Has].
func ParseSet(document []byte, rules KeyRules, previous *Set) (set *Set, skipped []error, err error) {
	texts, err := splitSet(document)
	if err != nil {
		return nil, nil, err
	}
	var keys []*VerificationKey
	seen := make(map[string]bool)
	for _, text := range texts {
		k, malformed := readJWK(text)
		if k.hasSecret() && !(rules.Secrets && k.isSecret()) {
			return nil, nil, errSecretKty
		}
		if k.KeyID != "" && seen[k.KeyID] {
			return nil, nil, errTwice
		}
		seen[k.KeyID] = true
		key, err := k.verification(rules)
		if err = cmp.Or(malformed, err); err != nil {
			skipped = append(skipped, err)
			continue
		}
		keys = append(keys, previous.keep(key))
	}
	set, err = NewSet(keys...)
	return set, skipped, err
}

// keep returns the key that the set has already, if it is the same.
func (s *Set) keep(key *VerificationKey) *VerificationKey {
	if s != nil && s.byID[key.id] != nil && s.byID[key.id].same(key) {
		return s.byID[key.id]
	}
	return key
}

// splitSet returns the texts of the keys of a JWK Set.
func splitSet(document []byte) ([][]byte, error) {
	if len(document) > MaxDocument {
		return nil, errTooBig
	}
	if CheckObject(document) != nil {
		return nil, errDocument
	}
	for m := range Object(document).Members {
		if string(m.Name) == "keys" {
			return splitKeys(m.Value)
		}
	}
	return nil, errDocument
}

// splitKeys returns the texts of the objects in an array.
func splitKeys(array Value) (texts [][]byte, err error) {
	if array[0] != '[' {
		return nil, errDocument
	}
	for text := range array.Elements {
		if text[0] != '{' {
			return nil, errDocument
		}
		if len(texts) == MaxKeys {
			return nil, errTooMany
		}
		texts = append(texts, text)
	}
	return texts, nil
}
