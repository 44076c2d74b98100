package jose

import "github.com/authlatch/auth/internal/strictjson"

// UnverifiedIssuer returns the claim iss of a token whose signature nothing has
// verified. It runs steps 1 to 4 for the header and the payload, and checks that the
// payload is strict JSON, so only one member is iss. The result is empty if that is not
// a string. Use it only to choose the keys: the verification of the token checks iss again.
func UnverifiedIssuer(token string) (string, error) {
	first, second, err := split(token, &Form{Foreign: true})
	if err != nil {
		return "", err
	}
	payload, err := base64url.DecodeString(token[first+1 : second])
	if err != nil {
		return "", errBase64
	}
	if err := strictjson.CheckObject(payload); err != nil {
		return "", malformed(err)
	}
	for m := range strictjson.Object(payload).Members {
		if string(m.Name) == "iss" {
			issuer, _ := m.Value.Text()
			return issuer, nil
		}
	}
	return "", nil
}
