package jose_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"strings"
	"testing"
)

// benchPayload has 10 claims and 269 bytes.
var benchPayload = func() []byte {
	text := `{"iss":"https://issuer.test","sub":"0123456789abcdef","aud":"https://api.test","exp":1800000600,"iat":1800000000,"jti":"0123456789abcdef0123456789abcdef","client_id":"app","scope":"read write admin","auth_time":1800000000,"sid":"`
	return []byte(text + strings.Repeat("x", 269-len(text)-2) + `"}`)
}()

// floor is the signature primitive of the standard library, the lower bound for the time
// of a verification.
type floor struct {
	sign   func()
	verify func() bool
}

func floorOf(t testing.TB, raw any, token string) floor {
	t.Helper()
	end := strings.LastIndexByte(token, '.')
	input := []byte(token[:end])
	signature, err := encoding.DecodeString(token[end+1:])
	check(t, err)
	switch raw := raw.(type) {
	case ed25519.PrivateKey:
		public := raw.Public().(ed25519.PublicKey)
		return floor{
			func() { ed25519.Sign(raw, input) },
			func() bool { return ed25519.Verify(public, input, signature) },
		}
	case *ecdsa.PrivateKey:
		r, s := bigInt(signature[:32]), bigInt(signature[32:])
		return floor{
			func() { d := sha256.Sum256(input); ecdsa.Sign(rand.Reader, raw, d[:]) },
			func() bool { d := sha256.Sum256(input); return ecdsa.Verify(&raw.PublicKey, d[:], r, s) },
		}
	case *rsa.PrivateKey:
		return floor{
			func() { d := sha256.Sum256(input); rsa.SignPSS(rand.Reader, raw, crypto.SHA256, d[:], nil) },
			func() bool {
				d := sha256.Sum256(input)
				return rsa.VerifyPSS(&raw.PublicKey, crypto.SHA256, d[:], signature, nil) == nil
			},
		}
	case []byte:
		mac := func() []byte { h := hmac.New(sha256.New, raw); h.Write(input); return h.Sum(nil) }
		return floor{
			func() { mac() },
			func() bool { return hmac.Equal(mac(), signature) },
		}
	}
	t.Fatal("no raw key")
	return floor{}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range minted {
		raw := rawKey(b, alg)
		key := signingKey(b, raw)
		set := setOf(b, key)
		token := mint(b, key, string(benchPayload))
		floor := floorOf(b, raw, token)
		b.Run(string(alg)+"/floor", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				floor.verify()
			}
		})
		b.Run(string(alg)+"/envelope", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Verify(token, accessForm)
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range minted {
		raw := rawKey(b, alg)
		key := signingKey(b, raw)
		floor := floorOf(b, raw, mint(b, key, string(benchPayload)))
		b.Run(string(alg)+"/floor", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				floor.sign()
			}
		})
		b.Run(string(alg)+"/envelope", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				key.Mint(benchPayload)
			}
		})
	}
}

func BenchmarkRefuseGarbage(b *testing.B) {
	set := setOf(b, signingKey(b, rawEd25519(b)))
	garbage := string(bytes.Repeat([]byte("."), 1<<20))
	b.ReportAllocs()
	for b.Loop() {
		set.Verify(garbage, accessForm)
	}
}
