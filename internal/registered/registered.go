// Package registered has the names of claims to which this library, or the
// profile of RFC 9068, gives a meaning. An application can never set them by
// itself, and a claim that is spelled differently cannot replace one.
package registered

import (
	"slices"
	"strings"
)

var names = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", // RFC 7519
	"client_id", "scope", "auth_time", "acr", "amr", // RFC 9068
	"sid", "fam", "azp", "act", "may_act", "cnf",
}

// Is reports whether a claim is a registered one.
func Is(name []byte) bool {
	return slices.ContainsFunc(names, func(claim string) bool { return claim == string(name) })
}

// Alike reports whether a claim is a registered one, or differs from one by case
// alone, as encoding/json compares: it would fill the same field.
func Alike(name string) bool {
	return slices.ContainsFunc(names, func(claim string) bool { return strings.EqualFold(claim, name) })
}
