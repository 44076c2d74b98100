// Package registered has the names of claims to which this library, or the
// profile of RFC 9068, gives a meaning. An application can never set them by
// itself, and nobody can fill one by spelling it another way.
package registered

import "bytes"

var names = bytes.Fields([]byte(`
	iss sub aud exp nbf iat jti
	client_id scope auth_time acr amr
	sid fam azp act may_act cnf
`)) // RFC 7519, RFC 9068, and others

// Is reports whether a claim is a registered one.
func Is(name []byte) bool {
	for _, claim := range names {
		if bytes.Equal(name, claim) {
			return true
		}
	}
	return false
}

// Alike reports whether a claim is a registered one, or differs from one by case
// alone, as encoding/json compares: it would fill the same field.
func Alike(name []byte) bool {
	for _, claim := range names {
		if bytes.EqualFold(name, claim) {
			return true
		}
	}
	return false
}
