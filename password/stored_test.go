package password_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/authlatch/auth/password"
)

func b64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:])
}

var (
	salt = b64(make([]byte, 16))
	tag  = b64(make([]byte, 32))
)

const bcryptRest = "DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."

// hostile hashes are refused without any work.
var hostile = map[string]string{
	"argon2id of 4 GiB":                  "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + tag,
	"argon2id of more than 128 MiB":      "$argon2id$v=19$m=131073,t=1,p=1$" + salt + "$" + tag,
	"argon2id of millions of passes":     "$argon2id$v=19$m=8,t=4000000,p=1$" + salt + "$" + tag,
	"argon2id of 65 passes":              "$argon2id$v=19$m=8,t=65,p=1$" + salt + "$" + tag,
	"argon2id of more than 1 GiB in all": "$argon2id$v=19$m=131072,t=9,p=1$" + salt + "$" + tag,
	"argon2id of 17 lanes":               "$argon2id$v=19$m=4096,t=1,p=17$" + salt + "$" + tag,
	"argon2id of 256 lanes, a byte's 0":  "$argon2id$v=19$m=4096,t=1,p=256$" + salt + "$" + tag,
	"argon2id of 2³²+1 passes":           "$argon2id$v=19$m=4096,t=4294967297,p=1$" + salt + "$" + tag,
	"argon2id of 2⁶⁴+1 passes":           "$argon2id$v=19$m=4096,t=18446744073709551617,p=1$" + salt + "$" + tag,
	"argon2id of no passes":              "$argon2id$v=19$m=4096,t=0,p=1$" + salt + "$" + tag,
	"argon2id of no lanes":               "$argon2id$v=19$m=4096,t=1,p=0$" + salt + "$" + tag,
	"argon2id of less memory than lanes": "$argon2id$v=19$m=7,t=1,p=1$" + salt + "$" + tag,
	"argon2id of 2³²+4096 KiB":           "$argon2id$v=19$m=4294971392,t=1,p=1$" + salt + "$" + tag,
	"argon2id of 2⁶⁴+4096 KiB":           "$argon2id$v=19$m=18446744073709555712,t=1,p=1$" + salt + "$" + tag,
	"argon2id of negative passes":        "$argon2id$v=19$m=4096,t=-1,p=1$" + salt + "$" + tag,
	"argon2id of negative lanes":         "$argon2id$v=19$m=4096,t=1,p=-1$" + salt + "$" + tag,
	"argon2id of memory in hex":          "$argon2id$v=19$m=0x1000,t=1,p=1$" + salt + "$" + tag,
	"argon2id of memory with exponent":   "$argon2id$v=19$m=4e3,t=1,p=1$" + salt + "$" + tag,
	"argon2id of memory with underscore": "$argon2id$v=19$m=4_096,t=1,p=1$" + salt + "$" + tag,
	"argon2id of memory in other digits": "$argon2id$v=19$m=٤٠٩٦,t=1,p=1$" + salt + "$" + tag,
	"argon2id of no number":              "$argon2id$v=19$m=,t=1,p=1$" + salt + "$" + tag,
	"argon2id with a space":              "$argon2id$v=19$m=4096, t=1,p=1$" + salt + "$" + tag,
	"argon2id with memory twice":         "$argon2id$v=19$m=4096,m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id with memory for passes":    "$argon2id$v=19$m=4096,m=1,p=1$" + salt + "$" + tag,
	"argon2id without lanes":             "$argon2id$v=19$m=4096,t=1$" + salt + "$" + tag,
	"argon2id with its version twice":    "$argon2id$v=19$v=19$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id with a zero in front of t": "$argon2id$v=19$m=4096,t=01,p=1$" + salt + "$" + tag,
	"argon2id of version 019":            "$argon2id$v=019$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id of version 20":             "$argon2id$v=20$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id in capitals":               "$ARGON2ID$v=19$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id with a salt of 7 bytes":    "$argon2id$v=19$m=4096,t=1,p=1$" + b64(make([]byte, 7)) + "$" + tag,
	"argon2id with half a byte of salt":  "$argon2id$v=19$m=4096,t=1,p=1$" + salt[:21] + "$" + tag,
	"argon2id cut off":                   "$argon2id$v=19$m=4096,t=1,p=1$" + salt,
	"argon2id with a NUL in its salt":    "$argon2id$v=19$m=4096,t=1,p=1$" + salt[:21] + "\x00$" + tag,
	"argon2id with a URL's alphabet":     "$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$" + tag[:42] + "_",
	"argon2":                             "$argon2$v=19$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id of negative memory":        "$argon2id$v=19$m=-4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id with a sign":               "$argon2id$v=19$m=+4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id with a leading zero":       "$argon2id$v=19$m=04096,t=1,p=1$" + salt + "$" + tag,
	"argon2id in another order":          "$argon2id$v=19$t=1,m=4096,p=1$" + salt + "$" + tag,
	"argon2id with a fourth parameter":   "$argon2id$v=19$m=4096,t=1,p=1,keyid=x$" + salt + "$" + tag,
	"argon2id with an empty tag":         "$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$",
	"argon2id with a short tag":          "$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$" + b64(make([]byte, 15)),
	"argon2id with a long tag":           "$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$" + b64(make([]byte, 65)),
	"argon2id with no salt":              "$argon2id$v=19$m=4096,t=1,p=1$$" + tag,
	"argon2id with a long salt":          "$argon2id$v=19$m=4096,t=1,p=1$" + b64(make([]byte, 65)) + "$" + tag,
	"argon2id with padding":              "$argon2id$v=19$m=4096,t=1,p=1$" + salt + "==$" + tag,
	"argon2id with spare bits":           "$argon2id$v=19$m=4096,t=1,p=1$" + salt[:21] + "B$" + tag,
	"argon2id with a line break":         "$argon2id$v=19$m=4096,t=1,p=1$" + salt + "\n$" + tag,
	"argon2id with something after it":   "$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$" + tag + "$",
	"argon2id with something before it":  "x$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id of an old version":         "$argon2id$v=16$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2id without a version":         "$argon2id$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2i":                            "$argon2i$v=19$m=4096,t=1,p=1$" + salt + "$" + tag,
	"argon2d":                            "$argon2d$v=19$m=4096,t=1,p=1$" + salt + "$" + tag,
	"scrypt of 256 MiB":                  "$scrypt$ln=18,r=8,p=1$" + salt + "$" + tag,
	"scrypt of a huge N":                 "$scrypt$ln=63,r=1,p=1$" + salt + "$" + tag,
	"scrypt of N = 1":                    "$scrypt$ln=0,r=8,p=1$" + salt + "$" + tag,
	"scrypt of a huge r":                 "$scrypt$ln=1,r=1000000,p=1$" + salt + "$" + tag,
	"scrypt of 17 lanes":                 "$scrypt$ln=1,r=1,p=17$" + salt + "$" + tag,
	"scrypt of more than 1 GiB in all":   "$scrypt$ln=17,r=8,p=9$" + salt + "$" + tag,
	"scrypt of negative N":               "$scrypt$ln=-4,r=8,p=1$" + salt + "$" + tag,
	"scrypt with a leading zero":         "$scrypt$ln=04,r=8,p=1$" + salt + "$" + tag,
	"scrypt with r twice":                "$scrypt$ln=4,r=8,r=8,p=1$" + salt + "$" + tag,
	"scrypt of r·p that overflows":       "$scrypt$ln=4,r=2147483647,p=2147483647$" + salt + "$" + tag,
	"scrypt with a salt of 7 bytes":      "$scrypt$ln=4,r=8,p=1$" + b64(make([]byte, 7)) + "$" + tag,
	"scrypt with a short tag":            "$scrypt$ln=4,r=8,p=1$" + salt + "$" + b64(make([]byte, 15)),
	"scrypt with a version":              "$scrypt$v=1$ln=4,r=8,p=1$" + salt + "$" + tag,
	"scrypt of r = 0":                    "$scrypt$ln=4,r=0,p=1$" + salt + "$" + tag,
	"scrypt of p = 0":                    "$scrypt$ln=4,r=8,p=0$" + salt + "$" + tag,
	"scrypt with an empty tag":           "$scrypt$ln=4,r=8,p=1$" + salt + "$",
	"bcrypt of cost 31":                  "$2b$31$" + bcryptRest,
	"bcrypt of cost 16":                  "$2b$16$" + bcryptRest,
	"bcrypt of cost 3":                   "$2b$03$" + bcryptRest,
	"bcrypt of cost 1 and a sign":        "$2b$+5$" + bcryptRest,
	"bcrypt of one digit":                "$2b$6$" + bcryptRest,
	"bcrypt of three digits":             "$2b$006$" + bcryptRest,
	"bcrypt of a negative cost":          "$2b$-6$" + bcryptRest,
	"bcrypt with a line break":           "$2b$06$" + bcryptRest + "\n",
	"bcrypt with a dollar in its salt":   "$2b$06$" + bcryptRest[:52] + "$",
	"bcrypt with a NUL":                  "$2b$06$" + bcryptRest[:52] + "\x00",
	"bcrypt of the signed bytes":         "$2x$06$" + bcryptRest,
	"bcrypt without a version":           "$2$06$" + bcryptRest,
	"bcrypt that is short":               "$2b$06$" + bcryptRest[:52],
	"bcrypt that is long":                "$2b$06$" + bcryptRest + "a",
	"bcrypt of another alphabet":         "$2b$06$" + bcryptRest[:52] + "+",
	"another kind":                       "$pbkdf2-sha256$i=600000$" + salt + "$" + tag,
	"a plain password":                   "p",
	"dollars":                            strings.Repeat("$", 1<<20),
	"a long one":                         "$argon2id$v=19$m=4096,t=1,p=1$" + strings.Repeat("A", 1<<20) + "$" + tag,
	"a NUL in front":                     "\x00$argon2id$v=19$m=4096,t=1,p=1$" + salt + "$" + tag,
}

// ASVS 5.0, 15.2.2.
func TestHostileHashesAreRefusedBeforeAnyWork(t *testing.T) {
	h := noting(t, password.NewIdle, password.Config{}, func(c password.Call) { t.Errorf("work: %s", c.What) })
	for name, hash := range hostile {
		t.Run(name, func(t *testing.T) {
			err := h.Verify(t.Context(), hash, "p")
			if err == nil || errors.Is(err, password.ErrWrong) {
				t.Fatal(err)
			}
			if len(err.Error()) > 128 || strings.Contains(err.Error(), salt) || strings.Contains(err.Error(), tag) {
				t.Errorf("the error has the hash in it: %v", err)
			}
		})
	}
}

// Hashes at the documented bounds are accepted.
func TestLargestHashesAreRead(t *testing.T) {
	for name, test := range map[string]struct{ hash, call string }{
		"argon2id of 128 MiB":        {"$argon2id$v=19$m=131072,t=1,p=1$" + salt + "$" + tag, "argon2id m=131072"},
		"scrypt of 128 MiB":          {"$scrypt$ln=17,r=8,p=1$" + salt + "$" + tag, "scrypt N=131072"},
		"the smallest of argon2":     {"$argon2id$v=19$m=8,t=1,p=1$" + b64(make([]byte, 8)) + "$" + b64(make([]byte, 16)), "argon2id m=8"},
		"64 passes, 16 lanes":        {"$argon2id$v=19$m=128,t=64,p=16$" + b64(make([]byte, 64)) + "$" + b64(make([]byte, 64)), "argon2id m=128 t=64 p=16"},
		"the hashes of a Config":     {"$argon2id$v=19$m=200000,t=1,p=1$" + salt + "$" + tag, "argon2id m=200000"},
		"bcrypt of the minimum cost": {"$2b$04$" + bcryptRest, "bcrypt $2b$04$"},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			h := noting(t, password.NewIdle, password.Config{Memory: 200_000, Iterations: 1}, func(c password.Call) { calls = append(calls, c.What) })
			if err := h.Verify(t.Context(), test.hash, "p"); !errors.Is(err, password.ErrWrong) {
				t.Error(err)
			}
			if len(calls) != 1 || !strings.HasPrefix(calls[0], test.call) {
				t.Errorf("%q", calls)
			}
		})
	}
}

// For any stored text: no panic, no work beyond the bounds, and no match. An accepted
// argon2id hash encodes to itself, so each hash has one encoding.
func FuzzStoredHash(f *testing.F) {
	for _, hash := range hostile {
		f.Add(hash[:min(len(hash), 1024)])
	}
	f.Add("$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + tag)
	f.Add("$scrypt$ln=1,r=1,p=1$" + salt + "$" + tag)
	f.Add("$2b$04$" + bcryptRest)
	f.Fuzz(func(t *testing.T, hash string) {
		calls := 0
		h := noting(t, password.NewIdle, password.Config{}, func(c password.Call) {
			calls++
			if c.Memory > 128<<20 {
				t.Errorf("%q takes %d bytes", hash, c.Memory)
			}
		})
		if err := h.Verify(t.Context(), hash, "p"); err == nil {
			t.Errorf("%q is right", hash)
		} else if wrong := errors.Is(err, password.ErrWrong); wrong != (calls == 1) {
			t.Errorf("%q: %v after %d calls", hash, err, calls)
		}
		if written, ok := h.Written(hash); ok && written != hash {
			t.Errorf("%q would be written as %q", hash, written)
		}
	})
}
