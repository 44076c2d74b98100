package token

import "github.com/authlatch/auth/internal/jose"

// RemoteKeySet is the public keys of an issuer elsewhere.
type RemoteKeySet struct{}

func (k *RemoteKeySet) verificationSet() *jose.Set { return nil }
