package jose

import (
	"cmp"
	"slices"

	"github.com/authlatch/auth/internal/strictjson"
)

// Limits of a JWK Set.
const (
	// MaxKeys is the maximum number of keys in a set.
	MaxKeys = 100
	// MaxDocument is the maximum length of a JWK Set in bytes.
	MaxDocument = 1 << 20
)

// Set is an immutable set of verification keys, either asymmetric keys or HMAC
// secrets. Kids are unique, except that an external issuer may publish a kid once for
// each algorithm.
type Set struct {
	keys []*VerificationKey
	byID map[string][]*VerificationKey
}

var (
	errDocument  = refuse(ErrKey, "not a JWK Set")
	errTooBig    = refuse(ErrKey, "a JWK Set is too big")
	errTooMany   = refuse(ErrKey, "a set has more than 100 keys")
	errTwice     = refuse(ErrKey, "two keys of a set have the same kid")
	errMixed     = refuse(ErrKey, "a set mixes HMAC secrets and asymmetric keys")
	errSecretKty = refuse(ErrKey, "a public JWK Set contains a private key or a secret")
	errNoJWK     = refuse(ErrKey, "an element of a JWK Set is not a JWK")
	errAmbiguous = refuse(ErrKey, "two keys of a JWK Set have the same kid and algorithm")
)

// NewSet returns a set of keys with distinct kids. The error is an [ErrKey].
func NewSet(keys ...*VerificationKey) (*Set, error) {
	for i, key := range keys {
		if slices.ContainsFunc(keys[:i], func(k *VerificationKey) bool { return k.id == key.id }) {
			return nil, errTwice
		}
	}
	return newSet(keys)
}

func newSet(keys []*VerificationKey) (*Set, error) {
	if len(keys) > MaxKeys {
		return nil, errTooMany
	}
	set := &Set{slices.Clone(keys), make(map[string][]*VerificationKey, len(keys))}
	for _, key := range keys {
		if (key.alg == HS256) != (keys[0].alg == HS256) {
			return nil, errMixed
		}
		set.byID[key.id] = append(set.byID[key.id], key)
	}
	return set, nil
}

// Has reports whether the set contains key itself, not only an equal key. Do not
// trust what a key has verified once no set contains it.
func (s *Set) Has(key *VerificationKey) bool {
	return key != nil && slices.Contains(s.byID[key.id], key)
}

// Keys returns the keys with a kid.
func (s *Set) Keys(id string) []*VerificationKey { return slices.Clone(s.byID[id]) }

// Len returns the number of keys.
func (s *Set) Len() int { return len(s.keys) }

// ParseSet parses the public JWK Set of an issuer (RFC 7517, 5).
//
// An entry that cannot be used is skipped, for example because its kty is unknown or
// it is for encryption; skipped has one reason per entry. A kid may occur once for
// each algorithm. Two different keys with the same kid and algorithm are both
// skipped, because the choice would be ambiguous. The same key twice counts once.
//
// A document with a private key, a secret, or more than 100 entries is refused. If
// the rules allow secrets, the set is the service's own, and two entries with the
// same kid are refused as well.
//
// If previous is not nil, a key that is also in previous stays the same key for
// [Set.Has].
func ParseSet(document []byte, rules KeyRules, previous *Set) (set *Set, skipped []error, err error) {
	texts, err := splitSet(document)
	if err != nil {
		return nil, nil, err
	}
	var keys []*VerificationKey
	kids := make(map[string]bool)
	for _, text := range texts {
		key, kid, bad, err := parseEntry(text, rules)
		if kid != "" && kids[kid] && rules.Secrets {
			return nil, nil, errTwice
		}
		kids[kid] = true
		switch {
		case err != nil:
			return nil, nil, err
		case bad != nil:
			skipped = append(skipped, bad)
		default:
			keys = append(keys, previous.keep(key))
		}
	}
	keys, ambiguous := distinct(keys)
	set, err = newSet(keys)
	return set, append(skipped, ambiguous...), err
}

// parseEntry parses one element of keys. Besides its kid it returns the reason for
// skipping it, or the error for which the document is refused.
func parseEntry(text strictjson.Value, rules KeyRules) (key *VerificationKey, kid string, bad, err error) {
	if text[0] != '{' {
		return nil, "", errNoJWK, nil
	}
	k, malformed := readJWK(text)
	if k.hasSecret() && !(rules.Secrets && k.isSecret()) {
		return nil, "", nil, errSecretKty
	}
	key, bad = k.verification(rules)
	return key, k.KeyID, cmp.Or(malformed, bad), nil
}

// distinct removes keys that a token's kid and alg cannot distinguish, and
// duplicates.
func distinct(keys []*VerificationKey) (left []*VerificationKey, ambiguous []error) {
	type name struct {
		id  string
		alg Algorithm
	}
	first := make(map[name]*VerificationKey)
	clash := make(map[name]bool)
	for _, key := range keys {
		n := name{key.id, key.alg}
		if first[n] == nil {
			first[n] = key
		}
		clash[n] = clash[n] || !first[n].same(key)
	}
	for _, key := range keys {
		switch n := (name{key.id, key.alg}); {
		case clash[n]:
			ambiguous = append(ambiguous, errAmbiguous)
		case first[n] != nil:
			left = append(left, key)
			first[n] = nil
		}
	}
	return left, ambiguous
}

// keep returns the same key from the set if it has one.
func (s *Set) keep(key *VerificationKey) *VerificationKey {
	if s == nil {
		return key
	}
	for _, known := range s.byID[key.id] {
		if known.same(key) {
			return known
		}
	}
	return key
}

// splitSet returns the texts of the elements of a JWK Set.
func splitSet(document []byte) ([]strictjson.Value, error) {
	if len(document) > MaxDocument {
		return nil, errTooBig
	}
	if strictjson.CheckObject(document) != nil {
		return nil, errDocument
	}
	for m := range strictjson.Object(document).Members {
		if string(m.Name) == "keys" {
			return splitKeys(m.Value)
		}
	}
	return nil, errDocument
}

// splitKeys returns the texts of the elements of an array.
func splitKeys(array strictjson.Value) (texts []strictjson.Value, err error) {
	if array[0] != '[' {
		return nil, errDocument
	}
	for text := range array.Elements {
		if len(texts) == MaxKeys {
			return nil, errTooMany
		}
		texts = append(texts, text)
	}
	return texts, nil
}
