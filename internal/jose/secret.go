package jose

import (
	"bytes"
	"encoding/asn1"
)

// minSecret is the length of the hash (RFC 7518, 3.2).
const minSecret = 32

var (
	errSecretShort = refuse(ErrKey, "an HMAC secret is shorter than 32 bytes")
	errSecretKey   = refuse(ErrKey, "an HMAC secret looks like an encoded key")
	errSecretWeak  = refuse(ErrKey, "an HMAC secret is not random")
)

// checkSecret refuses secrets that cannot be random bytes. An encoded key is either a
// public key, with which anyone could sign, or a mistake.
func checkSecret(secret []byte) error {
	if len(secret) < minSecret {
		return errSecretShort
	}
	if looksEncoded(secret) {
		return errSecretKey
	}
	return nil
}

// checkRandom refuses a secret of the service itself if it is one repeated byte.
func checkRandom(secret []byte) error {
	if len(secret) > 0 && bytes.Count(secret, secret[:1]) == len(secret) {
		return errSecretWeak
	}
	return nil
}

// looksEncoded detects PEM, SSH keys, JSON and DER.
func looksEncoded(secret []byte) bool {
	text := bytes.TrimSpace(secret)
	for _, start := range []string{"-----BEGIN", "ssh-", "ecdsa-sha2-", "{", "["} {
		if bytes.HasPrefix(text, []byte(start)) && printable(text) {
			return true
		}
	}
	return isDER(secret)
}

// isDER reports whether the bytes are a sequence of at least two elements of the
// types that keys consist of. For random bytes the probability is 2^-34.
func isDER(secret []byte) bool {
	const shortest = 44 // an Ed25519 public key (RFC 8410)
	var outer, inner asn1.RawValue
	rest, err := asn1.Unmarshal(secret, &outer)
	if err != nil || len(rest) > 0 || outer.Tag != asn1.TagSequence || len(secret) < shortest {
		return false
	}
	elements := 0
	for rest = outer.Bytes; len(rest) > 0; elements++ {
		switch rest[0] {
		case 0x02, 0x03, 0x04, 0x30, 0xa0, 0xa1: // numbers, strings, sequences, options
		default:
			return false
		}
		if rest, err = asn1.Unmarshal(rest, &inner); err != nil {
			return false
		}
	}
	return elements >= 2
}

func printable(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool {
		return r > '~' || r < ' ' && r != '\n' && r != '\r' && r != '\t'
	})
}
