package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// refuses asserts that a token is refused as no valid credential, with nothing
// usable beside the error, and that the error keeps the token to itself.
func refuses(t *testing.T, v *token.Verifier, text string, name ...string) {
	t.Helper()
	got, err := v.Verify(t.Context(), text)
	if (err == nil || got != nil) && len(name) > 0 {
		t.Errorf("%s:", name)
	}
	switch {
	case got != nil:
		t.Errorf("accepted: %+v", got.Identity())
	case !errors.Is(err, auth.ErrUnauthenticated):
		t.Errorf("error %v, want ErrUnauthenticated", err)
	case errors.Is(err, auth.ErrNoCredential):
		t.Errorf("error %v says that there is no credential", err)
	case len(text) > 20 && strings.Contains(err.Error(), text[len(text)-20:]):
		t.Errorf("the error has the token in it: %v", err)
	}
}

// ASVS 5.0, 1.4.2, 2.2.1, 6.8.1, 9.2.1, 9.2.3, 10.3.1, 10.3.3 and 15.3.5.
// A token is altered in its claims, all else being good.
func TestBadClaimsAreRefused(t *testing.T) {
	now := time.Now().Unix()
	m := newMinter(t)
	v := m.verifier()
	for _, c := range []struct {
		name   string
		change map[string]any
	}{
		{"iss missing", map[string]any{"iss": nil}},
		{"iss of another", map[string]any{"iss": "https://other.test"}},
		{"iss with a slash at its end", map[string]any{"iss": issuerName + "/"}},
		{"iss in upper case", map[string]any{"iss": strings.ToUpper(issuerName)}},
		{"iss as array", map[string]any{"iss": []string{issuerName}}},
		{"iss as null", map[string]any{"iss": json.RawMessage("null")}},
		{"iss empty", map[string]any{"iss": ""}},
		{"aud missing", map[string]any{"aud": nil}},
		{"aud empty", map[string]any{"aud": ""}},
		{"aud as null", map[string]any{"aud": json.RawMessage("null")}},
		{"aud as number", map[string]any{"aud": 1}},
		{"aud as object", map[string]any{"aud": map[string]any{audienceName: true}}},
		{"aud as empty array", map[string]any{"aud": []string{}}},
		{"aud as array of others", map[string]any{"aud": []string{"a", "b"}}},
		{"aud as array with a number", map[string]any{"aud": []any{audienceName, 1}}},
		{"aud as array with null", map[string]any{"aud": []any{audienceName, nil}}},
		{"aud as nested array", map[string]any{"aud": []any{[]string{audienceName}}}},
		{"aud with us as prefix", map[string]any{"aud": audienceName + "/x"}},
		{"aud as our prefix", map[string]any{"aud": audienceName[:len(audienceName)-1]}},
		{"aud with us as suffix", map[string]any{"aud": "x" + audienceName}},
		{"aud in upper case", map[string]any{"aud": strings.ToUpper(audienceName)}},
		{"aud with a space", map[string]any{"aud": audienceName + " "}},
		{"aud as list in a string", map[string]any{"aud": audienceName + " other"}},
		{"sub missing", map[string]any{"sub": nil}},
		{"sub empty", map[string]any{"sub": ""}},
		{"sub as number", map[string]any{"sub": 1}},
		{"sub as null", map[string]any{"sub": json.RawMessage("null")}},
		{"sub as array", map[string]any{"sub": []string{"alice"}}},
		{"sub of 256 bytes", map[string]any{"sub": strings.Repeat("x", 256)}},
		{"client_id missing", map[string]any{"client_id": nil}},
		{"client_id empty", map[string]any{"client_id": ""}},
		{"client_id as number", map[string]any{"client_id": 1}},
		{"jti missing", map[string]any{"jti": nil}},
		{"jti empty", map[string]any{"jti": ""}},
		{"jti as number", map[string]any{"jti": 1}},
		{"jti of 129 bytes", map[string]any{"jti": strings.Repeat("x", 129)}},
		{"sid as number", map[string]any{"sid": 1}},
		{"sid as null", map[string]any{"sid": json.RawMessage("null")}},
		{"fam as number", map[string]any{"fam": 1}},
		{"exp missing", map[string]any{"exp": nil}},
		{"exp 0", map[string]any{"exp": 0}},
		{"exp of a fraction of a second", map[string]any{"exp": json.RawMessage("0.4")}},
		{"exp with a fraction", map[string]any{"exp": json.RawMessage(fmt.Sprint(now+60) + ".5")}},
		{"exp with an exponent", map[string]any{"exp": json.RawMessage("2e9")}},
		{"exp as string", map[string]any{"exp": fmt.Sprint(now + 60)}},
		{"exp as RFC 3339", map[string]any{"exp": "2099-01-01T00:00:00Z"}},
		{"exp as null", map[string]any{"exp": json.RawMessage("null")}},
		{"exp true", map[string]any{"exp": true}},
		{"exp negative", map[string]any{"exp": -1}},
		{"exp 1e300", map[string]any{"exp": json.RawMessage("1e300")}},
		{"exp 2^63", map[string]any{"exp": json.RawMessage("9223372036854775808")}},
		{"exp in milliseconds", map[string]any{"exp": (now + 60) * 1000}},
		{"exp in a year", map[string]any{"exp": now + 365*86400}},
		{"iat missing", map[string]any{"iat": nil}},
		{"iat 0", map[string]any{"iat": 0}},
		{"iat as string", map[string]any{"iat": fmt.Sprint(now)}},
		{"iat in the future", map[string]any{"iat": now + 300}},
		{"iat after exp", map[string]any{"iat": now + 20, "exp": now + 10}},
		{"nbf in the future", map[string]any{"nbf": now + 300}},
		{"nbf after exp", map[string]any{"nbf": now + 20, "exp": now + 10}},
		{"nbf as string", map[string]any{"nbf": "0"}},
		{"nbf 0", map[string]any{"nbf": 0}},
		{"auth_time in the future", map[string]any{"auth_time": now + 300}},
		{"auth_time as string", map[string]any{"auth_time": "1"}},
		{"scope as array", map[string]any{"scope": []string{"read"}}},
		{"scope as null", map[string]any{"scope": json.RawMessage("null")}},
		{"scope as number", map[string]any{"scope": 1}},
		{"scope with two spaces", map[string]any{"scope": "read  write"}},
		{"scope with a space in front", map[string]any{"scope": " read"}},
		{"scope with a quotation mark", map[string]any{"scope": `read" admin`}},
		{"scope with a line break", map[string]any{"scope": "read\nadmin"}},
		{"amr as string", map[string]any{"amr": "pwd"}},
		{"amr as null", map[string]any{"amr": json.RawMessage("null")}},
		{"amr with a number", map[string]any{"amr": []any{1}}},
		{"amr with two words in one", map[string]any{"amr": []string{"pwd otp"}}},
		{"amr with an empty word", map[string]any{"amr": []string{""}}},
		{"cnf without proof", map[string]any{"cnf": map[string]any{"jkt": "x"}}},
		{"cnf empty", map[string]any{"cnf": map[string]any{}}},
		{"cnf as null", map[string]any{"cnf": json.RawMessage("null")}},
		{"SUB beside sub", map[string]any{"SUB": "root"}},
		{"SUB alone", map[string]any{"sub": nil, "SUB": "root"}},
		{"sub with a long s", map[string]any{"sub": nil, "\u017fub": "root"}},
		{"Scope beside scope", map[string]any{"Scope": "admin"}},
		{"nested deeper than any fact", map[string]any{"x": json.RawMessage(strings.Repeat("[", 17) + strings.Repeat("]", 17))}},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, v, m.mint(with(c.change))) })
	}
}

// ASVS 5.0, 1.3.3, 1.3.6, 9.1.2, 9.1.3 and 9.2.2.
// The header is altered, and signed as it is.
func TestBadHeadersAreRefused(t *testing.T) {
	m := newMinter(t)
	var fetched atomic.Int32
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer canary.Close()
	v := m.verifier()
	for _, c := range []struct {
		name   string
		change map[string]any
	}{
		{"alg missing", map[string]any{"alg": nil}},
		{"alg none", map[string]any{"alg": "none"}},
		{"alg None", map[string]any{"alg": "None"}},
		{"alg NONE", map[string]any{"alg": "NONE"}},
		{"alg with none and a space", map[string]any{"alg": "none "}},
		{"alg empty", map[string]any{"alg": ""}},
		{"alg as null", map[string]any{"alg": json.RawMessage("null")}},
		{"alg in lower case", map[string]any{"alg": "eddsa"}},
		{"alg of another key", map[string]any{"alg": "ES256"}},
		{"alg HS256", map[string]any{"alg": "HS256"}},
		{"alg RS256", map[string]any{"alg": "RS256"}},
		{"alg as array", map[string]any{"alg": []string{"EdDSA"}}},
		{"typ missing", map[string]any{"typ": nil}},
		{"typ JWT", map[string]any{"typ": "JWT"}},
		{"typ of a DPoP proof", map[string]any{"typ": "dpop+jwt"}},
		{"typ of a logout token", map[string]any{"typ": "logout+jwt"}},
		{"typ of an ID token", map[string]any{"typ": "id_token+jwt"}},
		{"typ with another slash", map[string]any{"typ": "application/x/at+jwt"}},
		{"typ of text", map[string]any{"typ": "text/at+jwt"}},
		{"typ with a parameter", map[string]any{"typ": "at+jwt;v=1"}},
		{"typ with a space", map[string]any{"typ": "at+jwt "}},
		{"typ as null", map[string]any{"typ": json.RawMessage("null")}},
		{"typ as array", map[string]any{"typ": []string{"at+jwt"}}},
		{"kid missing", map[string]any{"kid": nil}},
		{"kid empty", map[string]any{"kid": ""}},
		{"kid of another", map[string]any{"kid": "other"}},
		{"kid as path", map[string]any{"kid": "../../dev/null"}},
		{"kid as SQL", map[string]any{"kid": "x' UNION SELECT 'secret"}},
		{"kid with NUL", map[string]any{"kid": m.kid + "\x00"}},
		{"kid of 129 bytes", map[string]any{"kid": strings.Repeat("k", 129)}},
		{"kid as number", map[string]any{"kid": 1}},
		{"crit of nothing", map[string]any{"crit": []string{}}},
		{"crit of exp", map[string]any{"crit": []string{"exp"}}},
		{"crit of b64", map[string]any{"crit": []string{"b64"}, "b64": false}},
		{"b64 false", map[string]any{"b64": false}},
		{"b64 true", map[string]any{"b64": true}},
		{"zip", map[string]any{"zip": "DEF"}},
		{"cty", map[string]any{"cty": "JWT"}},
		{"enc", map[string]any{"enc": "A256GCM", "alg": "dir"}},
		{"jwk", map[string]any{"jwk": map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "AA"}}},
		{"jku", map[string]any{"jku": canary.URL}},
		{"x5u", map[string]any{"x5u": canary.URL}},
		{"x5c", map[string]any{"x5c": []string{"AA"}}},
		{"x5t", map[string]any{"x5t": "AA"}},
		{"x5t#S256", map[string]any{"x5t#S256": "AA"}},
		{"longer than a kibibyte", map[string]any{"x": strings.Repeat("x", 1024)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := m.header()
			for name, value := range c.change {
				if header[name] = value; value == nil {
					delete(header, name)
				}
			}
			refuses(t, v, m.mintWith(header, claims()))
		})
	}
	if fetched.Load() != 0 {
		t.Errorf("%d requests to where a header pointed", fetched.Load())
	}
}

// ASVS 5.0, 9.2.2.
func TestTypIsComparedAsAMediaType(t *testing.T) {
	m := newMinter(t)
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"} {
		header := m.header()
		header["typ"] = typ
		if _, err := m.verifier().Verify(t.Context(), m.mintWith(header, claims())); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// ASVS 5.0, 1.5.3.
// Text that encoding/json would not write, signed as it is.
func TestBadTextsAreRefused(t *testing.T) {
	m := newMinter(t)
	v := m.verifier()
	header := `{"alg":"EdDSA","kid":"` + m.kid + `","typ":"at+jwt"}`
	encoded, err := json.Marshal(claims())
	must(t, err)
	good := string(encoded)
	if _, err := v.Verify(t.Context(), m.mintText(header, good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, header, payload string }{
		{"sub twice", header, good[:len(good)-1] + `,"sub":"root"}`},
		{"sub twice, once escaped", header, good[:len(good)-1] + `,"s\u0075b":"root"}`},
		{"aud twice", header, `{"aud":"x",` + good[1:]},
		{"cnf with an escape", header, good[:len(good)-1] + `,"cn\u0066":{}}`},
		{"a fact twice", header, good[:len(good)-1] + `,"x":1,"x":1}`},
		{"a fact twice inside", header, good[:len(good)-1] + `,"x":{"y":1,"y":2}}`},
		{"alg twice", `{"alg":"none",` + header[1:], good},
		{"kid twice", `{"kid":"x",` + header[1:], good},
		{"typ twice", `{"typ":"JWT",` + header[1:], good},
		{"something after the payload", header, good + "{}"},
		{"a byte after the payload", header, good + "x"},
		{"NUL after the payload", header, good + "\x00"},
		{"something after the header", header + "{}", good},
		{"a byte order mark", header, "\ufeff" + good},
		{"invalid UTF-8", header, strings.Replace(good, "alice", "al\xffce", 1)},
		{"half a surrogate", header, strings.Replace(good, "alice", `al\ud800ce`, 1)},
		{"an array", header, "[" + good + "]"},
		{"a string", header, `"` + strings.ReplaceAll(good, `"`, `\"`) + `"`},
		{"null", header, "null"},
		{"nothing", header, ""},
		{"a nested token", header, m.mintText(header, good)},
		{"a comment", header, strings.Replace(good, "{", "{/**/", 1)},
		{"a trailing comma", header, strings.Replace(good, "}", ",}", 1)},
		{"cut off", header, good[:len(good)-1]},
		{"exp with a leading zero", header, strings.Replace(good, `"exp":`, `"exp":0`, 1)},
		{"exp with a plus", header, strings.Replace(good, `"exp":`, `"exp":+`, 1)},
		{"exp with a minus", header, strings.Replace(good, `"exp":`, `"exp":-`, 1)},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, v, m.mintText(c.header, c.payload)) })
	}
	// An escape changes how a text is written, and nothing of what it means.
	escaped := strings.NewReplacer(`"sub":"alice"`, `"s\u0075b":"al\u0069ce"`, `"iss":"https:`, `"\u0069ss":"\u0068ttps:`).Replace(good)
	if got, err := v.Verify(t.Context(), m.mintText(header, escaped)); err != nil || got.Identity().Subject != "alice" {
		t.Errorf("error %v", err)
	}
	// Names that have a meaning in other serialisations are facts like others.
	for _, name := range []string{"keys", "kty", "ciphertext", "payload", "signatures"} {
		got, err := v.Verify(t.Context(), m.mint(with(map[string]any{name: []int{1}})))
		if err != nil || got.Identity().Claims != auth.Claims(`{"`+name+`":[1]}`) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// ASVS 5.0, 1.1.1, 6.8.2, 9.1.1 and 11.2.5.
// The text of a good token is altered after it was signed.
func TestAlteredTokensAreRefused(t *testing.T) {
	m := newMinter(t)
	good := m.mint(claims())
	v := m.verifier()
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	header, payload, signature := parts[0], parts[1], parts[2]
	raw, err := b64.DecodeString(signature)
	must(t, err)
	// The same signature with s + L, which a lax verifier takes.
	malleable := append([]byte(nil), raw...)
	addOrder(malleable[32:])
	jsonForm, err := json.Marshal(map[string]string{"protected": header, "payload": payload, "signature": signature})
	must(t, err)
	for _, c := range []struct{ name, text string }{
		{"nothing", ""},
		{"a dot", "."},
		{"two dots", ".."},
		{"a mebibyte of dots", strings.Repeat(".", 1<<20)},
		{"a mebibyte of letters", strings.Repeat("A", 1<<20)},
		{"longer than any", good + strings.Repeat("A", 8192)},
		{"no signature", header + "." + payload + "."},
		{"no signature and no dot", header + "." + payload},
		{"no payload", header + ".." + signature},
		{"no header", "." + payload + "." + signature},
		{"four parts", good + ".AAAA"},
		{"five parts", good + ".AAAA.AAAA"},
		{"a JSON serialization", string(jsonForm)},
		{"padding", good + "=="},
		{"a line break at the end", good + "\n"},
		{"a line break within", header + ".\r\n" + payload + "." + signature},
		{"a space in front", " " + good},
		{"a space at the end", good + " "},
		{"NUL at the end", good + "\x00"},
		{"the scheme in front", "Bearer " + good},
		{"quotation marks", `"` + good + `"`},
		{"twice", good + "," + good},
		{"the spare bits of the signature", good[:len(good)-1] + string(good[len(good)-1]+1)},
		{"the signature plus the group order", header + "." + payload + "." + b64.EncodeToString(malleable)},
		{"the signature cut", good[:len(good)-4]},
		{"the signature longer", good + "AAAA"},
		{"the signature of zeros", header + "." + payload + "." + b64.EncodeToString(make([]byte, 64))},
		{"the signature of other claims", header + "." + payload + "." + strings.Split(m.mint(with(map[string]any{"sub": "bob"})), ".")[2]},
		{"the signature over the payload alone", header + "." + payload + "." + strings.Split(m.sign(payload), ".")[1]},
		{"other claims under the signature", header + "." + strings.Split(m.mint(with(map[string]any{"sub": "root"})), ".")[1] + "." + signature},
		{"the key of another", newMinter(t).mint(claims())},
		{"the key of another under our kid", strings.Join(append([]string{header, payload}, strings.Split(newMinter(t).sign(header+"."+payload), ".")[2]), ".")},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, v, c.text) })
	}
	for i := range len(good) {
		flipped := []byte(good)
		flipped[i] ^= 1
		if string(flipped) != good {
			refuses(t, v, string(flipped))
		}
	}
}

// addOrder adds the order of the group of Ed25519 to a little-endian number.
func addOrder(s []byte) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	reversed := func(b []byte) []byte {
		out := make([]byte, len(b))
		for i := range b {
			out[len(b)-1-i] = b[i]
		}
		return out
	}
	sum := new(big.Int).Add(new(big.Int).SetBytes(reversed(s)), order)
	copy(s, reversed(sum.FillBytes(make([]byte, len(s)))))
}

// ASVS 5.0, 9.1.2.
// An attacker uses the public key, which is published, as an HMAC secret
// (CVE-2015-9235 and its like).
func TestPublicKeyIsNoSecret(t *testing.T) {
	m := newMinter(t)
	w := httptest.NewRecorder()
	m.keys.JWKSHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	must(t, json.Unmarshal(w.Body.Bytes(), &published))
	var jwk struct{ X string }
	must(t, json.Unmarshal(published.Keys[0], &jwk))
	x, err := b64.DecodeString(jwk.X)
	must(t, err)
	for _, secret := range [][]byte{x, []byte(jwk.X), published.Keys[0], w.Body.Bytes(), nil, []byte(m.kid)} {
		header := m.header()
		header["alg"] = "HS256"
		unsigned := strings.TrimSuffix(m.mintWith(header, claims()), "")
		unsigned = unsigned[:strings.LastIndexByte(unsigned, '.')]
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(unsigned))
		refuses(t, m.verifier(), unsigned+"."+b64.EncodeToString(mac.Sum(nil)))
	}
}

// An ECDSA signature has a second form, so the text of a token names nothing;
// the ID does.
func TestMalleatedTokenIsTheSameToken(t *testing.T) {
	m := newES256Minter(t)
	good := m.mint(claims())
	parts := strings.Split(good, ".")
	raw, err := b64.DecodeString(parts[2])
	must(t, err)
	n, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	s := new(big.Int).Sub(n, new(big.Int).SetBytes(raw[32:]))
	other := parts[0] + "." + parts[1] + "." + b64.EncodeToString(append(raw[:32:32], s.FillBytes(make([]byte, 32))...))
	v := m.verifier()
	first, err := v.Verify(t.Context(), good)
	must(t, err)
	if second, err := v.Verify(t.Context(), other); err == nil && second.ID() != first.ID() {
		t.Errorf("ID %q and %q", first.ID(), second.ID())
	}
}

// ASVS 5.0, 9.2.3 and 10.3.1.
// Two verifiers of one issuer keep their audiences apart, also in their caches.
func TestVerifierOfAnotherAudienceRefuses(t *testing.T) {
	m := newMinter(t)
	text := m.mint(claims())
	ours := m.verifier()
	theirs := m.verifier(func(c *token.VerifierConfig) { c.Audience = "https://other.test" })
	for range 3 {
		if _, err := ours.Verify(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		refuses(t, theirs, text)
	}
}

// ASVS 5.0, 11.6.1.
// RSA keys of the issuer's own are used with PSS alone.
func TestRS256UnderAnOwnKeyIsRefused(t *testing.T) {
	m := minterOf(t, readRSA(t, "rsa3072.pem"), "RS256")
	foreign := func(c *token.VerifierConfig) { c.Foreign = &token.Foreign{} }
	refuses(t, m.verifier(), m.mint(claims()))
	refuses(t, m.verifier(foreign), m.mint(claims()))
}
