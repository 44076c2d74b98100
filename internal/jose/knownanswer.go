package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"slices"
)

// knownAnswer is an example signature of an RFC.
type knownAnswer struct{ input, signature, key, y string }

// The input of RFC 7515, A.1 to A.3, after the header.
const rfc7515Payload = ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

var knownAnswers = map[Algorithm]knownAnswer{
	// RFC 8037, A.4.
	Ed25519: {
		input:     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
		signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
		key:       "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	},
	// RFC 7515, A.3.
	ES256: {
		input:     "eyJhbGciOiJFUzI1NiJ9" + rfc7515Payload,
		signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
		key:       "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
		y:         "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
	},
	// RFC 7515, A.2.
	RS256: {
		input:     "eyJhbGciOiJSUzI1NiJ9" + rfc7515Payload,
		signature: "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
		key:       "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
	},
	// RFC 7515, A.1.
	HS256: {
		input:     "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" + rfc7515Payload,
		signature: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		key:       "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
	},
}

var errSelfCheck = refuse(ErrKey, "the engine fails its self-check")

// checkKnownAnswer makes the engine verify the example of the RFC, and refuse it once
// a bit is changed.
func checkKnownAnswer(alg Algorithm, v verifier) (err error) {
	defer func() {
		if recover() != nil {
			err = errSelfCheck
		}
	}()
	answer := knownAnswers[alg]
	key := answer.raw(alg)
	signature := decoded(answer.signature)
	if v.Verify([]byte(answer.input), signature, key) != nil {
		return errSelfCheck
	}
	signature[len(signature)-1] ^= 1
	if v.Verify([]byte(answer.input), signature, key) == nil {
		return errSelfCheck
	}
	return nil
}

// raw returns the key in the form that the engine requires.
func (a knownAnswer) raw(alg Algorithm) any {
	key := decoded(a.key)
	switch alg {
	case Ed25519:
		return ed25519.PublicKey(key)
	case ES256:
		point := slices.Concat([]byte{4}, key, decoded(a.y)) // uncompressed: SEC 1, 2.3.3
		public, _ := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		return public
	case RS256:
		return &rsa.PublicKey{N: new(big.Int).SetBytes(key), E: 65537}
	}
	return key
}

// decoded decodes a constant.
func decoded(constant string) []byte {
	bytes, _ := base64.RawURLEncoding.DecodeString(constant)
	return bytes
}
