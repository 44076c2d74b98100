package jose_test

// The engine has known defects, numbered D1 to D29 here. Each test is named after one
// and proves that it cannot be reached through this package. D20 to D23 concern the
// engine's handling of requests, URLs, contexts and leeways; this package uses none of
// these parts, as the test of the source proves.

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/jose"
)

// ASVS 5.0, 1.2.3.
func TestD01MemberNamesAreNeverInjected(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	set := setOf(t, key)
	for _, name := range []string{
		`x":1,"admin`, `x\`, `x\"`, "\u0000", "\u2028", `</script>`, "é", "\U0001f600", "", " ", "ü\"",
	} {
		roundTrip(t, set, key, map[string]any{"iss": "i", name: "v"})
	}
}

// roundTrip asserts that the token has exactly the members that were set.
func roundTrip(t *testing.T, set *jose.Set, key *jose.SigningKey, members map[string]any) {
	t.Helper()
	payload, err := json.Marshal(members)
	check(t, err)
	got, err := set.Verify(mint(t, key, string(payload)), accessForm)
	check(t, err)
	var parsed map[string]any
	check(t, json.Unmarshal(got.Payload, &parsed))
	if !maps.Equal(parsed, members) {
		t.Errorf("minted %v, got %v", members, parsed)
	}
}

func TestD02TokensShareNothing(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	set := setOf(t, key)
	first, err := set.Verify(mint(t, key, `{"sub":"alice","admin":true}`), accessForm)
	check(t, err)
	second, err := set.Verify(mint(t, key, `{"sub":"bob"}`), accessForm)
	check(t, err)
	clear(first.Payload)
	_ = append(first.Payload, "more"...)
	if string(second.Payload) != `{"sub":"bob"}` {
		t.Errorf("the second payload is %s", second.Payload)
	}
}

// ASVS 5.0, 11.3.1.
func TestD03EncryptedTokensAreRefusedBeforeDecoding(t *testing.T) {
	set := setOf(t, signingKey(t, rawEd25519(t)))
	refused(t, set, "eyJhbGciOiJBMjU2S1ciLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA", jose.ErrMalformed)
	refused(t, set, "!.!.!.!.!", jose.ErrMalformed)
}

func TestD04Ed25519KeysHave32Bytes(t *testing.T) {
	for size := range 70 {
		x := make([]byte, size)
		rand.Read(x)
		_, err := jose.NewVerificationKey(ed25519.PublicKey(x), "", "", jose.KeyRules{})
		if (err == nil) != (size == 32) {
			t.Errorf("%d bytes: %v", size, err)
		}
		set, _, err := jose.ParseSet(jwks(`{"kty":"OKP","crv":"Ed25519","kid":"1","x":"`+encoding.EncodeToString(x)+`"}`), jose.KeyRules{}, nil)
		if err != nil || (set.Len() == 1) != (size == 32) {
			t.Errorf("%d bytes in a JWK: %v", size, err)
		}
	}
}

func jwks(keys ...string) []byte {
	return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`)
}

func TestD05CoordinatesHave32BytesAndArePoints(t *testing.T) {
	point, err := rawP256(t).PublicKey.Bytes()
	check(t, err)
	x, y := point[1:33], point[33:]
	one := big.NewInt(1).Bytes()
	for name, c := range map[string]struct {
		x, y []byte
		good bool
	}{
		"a point":           {x, y, true},
		"x is longer":       {append([]byte{0}, x...), y, false},
		"y is longer":       {x, append([]byte{0}, y...), false},
		"x is much longer":  {make([]byte, 4096), y, false},
		"y begins in x":     {point[1:34], point[34:], false},
		"x is cut":          {x[1:], y, false},
		"not on the curve":  {x, x, false},
		"infinity":          {make([]byte, 32), make([]byte, 32), false},
		"one byte":          {one, one, false},
		"x is not reduced":  {elliptic.P256().Params().P.Bytes(), y, false},
		"everything is set": {bigInt(nil).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)).Bytes(), y, false},
	} {
		document := jwks(`{"kty":"EC","crv":"P-256","kid":"1","x":"` + encoding.EncodeToString(c.x) + `","y":"` + encoding.EncodeToString(c.y) + `"}`)
		set, skipped, err := jose.ParseSet(document, jose.KeyRules{}, nil)
		if err != nil || (set.Len() == 1) != c.good || (len(skipped) == 0) != c.good {
			t.Errorf("%s: %d keys, %v, %v", name, set.Len(), skipped, err)
		}
	}
}

func TestD06SecretsHaveNoPublicForm(t *testing.T) {
	key := signingKey(t, rawSecret())
	if jwk, ok := key.Verification().PublicJWK(); ok || jwk != (jose.PublicJWK{}) {
		t.Errorf("an HMAC secret is published: %+v", jwk)
	}
}

func TestD07ZeroIsNoDate(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	for _, exp := range []string{"0", "0.4", "-0", "-1", "1e0", "01", "null", "false", `""`} {
		refused(t, set, forge(t, raw, headerFor(key, ""), `{"exp":`+exp+`}`), jose.ErrMalformed)
	}
	got, err := set.Verify(mint(t, key, `{"sub":"alice"}`), accessForm)
	check(t, err)
	if got.Dates.Expires != 0 {
		t.Error("a missing date has a value")
	}
}

func TestD08CritIsRefused(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	for _, crit := range []string{`[]`, `["exp"]`, `["b64"]`, `["x"]`, `null`, `"x"`, `{}`, `false`} {
		refused(t, set, forge(t, raw, headerFor(key, `,"x":1,"crit":`+crit), goodPayload), jose.ErrMalformed)
		refused(t, set, forge(t, raw, headerFor(key, `,"\u0063rit":`+crit), goodPayload), jose.ErrMalformed)
	}
}

func TestD09B64IsRefused(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	for _, b64 := range []string{"false", "true", "null", `"false"`, "0"} {
		refused(t, setOf(t, key), forge(t, raw, headerFor(key, `,"b64":`+b64), goodPayload), jose.ErrMalformed)
	}
}

func TestD10AlgIsThatOfTheKey(t *testing.T) {
	for _, alg := range minted {
		raw := rawKey(t, alg)
		key := signingKey(t, raw)
		set := setOf(t, key)
		for _, other := range []string{
			"", `"alg":"none",`, `"alg":"None",`, `"alg":"",`, `"alg":null,`, `"alg":1,`, `"alg":["ES256"],`, `"alg":"HS256",`, `"alg":"ES256",`,
			`"alg":"RS256",`, `"alg":"PS256",`, `"alg":"EdDSA",`, `"alg":"eddsa",`, `"alg":"Ed448",`, `"alg":"ES384",`, `"alg":"ES256K",`, `"alg":"HS512",`, `"alg":"ES256 ",`,
		} {
			if other == `"alg":"`+string(alg)+`",` {
				continue
			}
			header := `{` + other + `"kid":"` + key.Verification().ID() + `","typ":"at+jwt"}`
			refused(t, set, forge(t, raw, header, goodPayload), jose.ErrAlgorithm)
		}
	}
}

func TestD11KidSelectsTheKeyEvenIfThereIsOne(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	for _, kid := range []string{
		"", `"kid":"",`, `"kid":null,`, `"kid":1,`, `"kid":"a\\b",`, `"kid":"a?b",`, `"kid":"a%2fb",`, `"kid":"a\u0000",`, `"kid":"a b",`, `"kid":"é",`, `"kid":"'--",`,
		`"kid":"` + strings.Repeat("a", 129) + `",`,
	} {
		refused(t, set, forge(t, raw, `{"alg":"EdDSA",`+kid+`"typ":"at+jwt"}`, goodPayload), jose.ErrMalformed)
	}
	for _, kid := range []string{"x", strings.Repeat("a", 128), key.Verification().ID() + "x", "bilbo.baggins@hobbiton.example", "../../etc/passwd", "J4j+I06r/XvYU="} {
		_, err := set.Verify(forge(t, raw, `{"alg":"EdDSA","kid":"`+kid+`","typ":"at+jwt"}`, goodPayload), accessForm)
		var unknown *jose.UnknownKeyError
		if !errors.As(err, &unknown) || unknown.KeyID != kid {
			t.Errorf("kid %q: %v", kid, err)
		} else if strings.Contains(err.Error(), kid) && len(kid) > 1 {
			t.Errorf("the error repeats the kid: %v", err)
		}
	}
}

func TestD12OnlyTheBytesReceivedVerify(t *testing.T) {
	for _, alg := range minted {
		key := signingKey(t, rawKey(t, alg))
		set := setOf(t, key)
		token := mint(t, key, goodPayload)
		for range 2 { // before and after the header is known
			for at := range token {
				for _, insert := range []string{"=", "\n", "\r\n", " ", "A", ".", "+", "/"} {
					refused(t, set, token[:at]+insert+token[at:], nil)
				}
			}
			for _, tail := range []string{"=", "==", "\n", " ", ".", "\x00"} {
				refused(t, set, token+tail, jose.ErrMalformed)
			}
			refused(t, set, strings.NewReplacer("-", "+", "_", "/").Replace(token)+"+", jose.ErrMalformed)
			otherSpellings(t, set, token)
			if _, err := set.Verify(token, accessForm); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// otherSpellings changes the last character of each segment to those that decode to the
// same bytes if trailing bits are ignored.
func otherSpellings(t *testing.T, set *jose.Set, token string) {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	parts := strings.Split(token, ".")
	for i, part := range parts {
		want, err := encoding.DecodeString(part)
		check(t, err)
		for _, c := range alphabet {
			spelling := part[:len(part)-1] + string(c)
			got, err := encoding.DecodeString(spelling)
			if err != nil || string(got) != string(want) || spelling == part {
				continue
			}
			changed := append(append(append([]string{}, parts[:i]...), spelling), parts[i+1:]...)
			refused(t, set, strings.Join(changed, "."), jose.ErrMalformed)
		}
	}
}

func TestD13JSONSerializationsAreRefused(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	set := setOf(t, key)
	part := strings.Split(mint(t, key, goodPayload), ".")
	signature := `{"protected":"` + part[0] + `","signature":"` + part[2] + `"}`
	for _, token := range []string{
		`{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`,
		`{"payload":"` + part[1] + `","signatures":[` + signature + `]}`,
		`{"payload":"` + part[1] + `","signatures":[` + strings.Repeat(signature+",", 10) + signature + `]}`,
		`"` + strings.Join(part, ".") + `"`, `["` + strings.Join(part, ".") + `"]`, `{}`, `[]`,
	} {
		refused(t, set, token, jose.ErrMalformed)
	}
}

func TestD14NoClaimNameHasAnotherMeaning(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	set := setOf(t, key)
	for _, name := range []string{"keys", "kty", "ciphertext", "payload", "signatures", "protected", "signature", "header", "recipients"} {
		roundTrip(t, set, key, map[string]any{"iss": "i", name: "v"})
	}
}

func TestD15NothingStandsBehindThePayload(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	for _, tail := range []string{"{}", " x", ",", "}", "null", "\x00", "\u00a0", "\f"} {
		refused(t, set, forge(t, raw, headerFor(key, ""), goodPayload+tail), jose.ErrMalformed)
		refused(t, set, forge(t, raw, headerFor(key, "")+tail, goodPayload), jose.ErrMalformed)
	}
	if _, err := set.Verify(forge(t, raw, headerFor(key, ""), " \t\r\n"+goodPayload+"\n"), accessForm); err != nil {
		t.Errorf("white space around the payload: %v", err)
	}
}

// ASVS 5.0, 1.5.3.
func TestD16NoMemberStandsTwice(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	for _, more := range []string{`,"alg":"EdDSA"`, `,"\u0061lg":"EdDSA"`, `,"ALG":"none"`, `,"x":1,"x":1`, `,"x":1,"X":1`, `,"x":{"y":1,"y":2}`} {
		refused(t, set, forge(t, raw, headerFor(key, more), goodPayload), jose.ErrMalformed)
	}
	for _, payload := range []string{
		`{"sub":"a","sub":"b"}`, `{"sub":"a","\u0073ub":"b"}`, `{"a":{"b":1,"b":1}}`, `{"a":[{"b":1,"\u0062":1}]}`,
		`{"x":1,"X":1}`, `{"SUB":"a"}`, `{"ſub":"a"}`, `{"iSs":"a"}`, `{"ſcope":"a"}`, "{\"\u212a\":1,\"k\":1}",
	} {
		refused(t, set, forge(t, raw, headerFor(key, ""), payload), jose.ErrMalformed)
		if _, err := key.Mint([]byte(payload)); err == nil {
			t.Errorf("minted %s", payload)
		}
	}
	for _, payload := range []string{`{"a":{"b":1,"B":1}}`, `{"a":{"b":1},"b":2}`, `{"a":[{"b":1},{"b":1}]}`, `{"a":{"SUB":1}}`} {
		if _, err := set.Verify(mint(t, key, payload), accessForm); err != nil {
			t.Errorf("%s: %v", payload, err)
		}
	}
}

// ASVS 5.0, 1.4.2.
func TestD17DatesAreWholeNumbers(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	for _, claim := range []string{"exp", "nbf", "iat", "auth_time", `\u0065xp`} {
		for _, value := range []string{
			`"1800000000"`, `"2030-01-01T00:00:00Z"`, `1.8e9`, `1800000000.0`, `1800000000.5`, `-1800000000`, `null`, `true`, `[1800000000]`,
			`{"a":1}`, `253402300800`, `99999999999999999999`, `1e400`, `0`,
		} {
			refused(t, set, forge(t, raw, headerFor(key, ""), `{"`+claim+`":`+value+`}`), jose.ErrMalformed)
		}
		for _, value := range []string{"1", "1800000000", "253402300799"} {
			if _, err := set.Verify(mint(t, key, `{"`+claim+`":`+value+`}`), accessForm); err != nil {
				t.Errorf("%s %s: %v", claim, value, err)
			}
		}
	}
}

// ASVS 5.0, 11.2.3 and 11.6.1.
func TestD18CurvesAndSizesAreBound(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	check(t, err)
	even := &rsa.PublicKey{N: rawRSA().N, E: 65538}
	small := &rsa.PublicKey{N: rawRSA().N, E: 3}
	evenN := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 3100), E: 65537}
	huge := &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 8200), big.NewInt(1)), E: 65537}
	for name, c := range map[string]struct {
		raw any
		alg jose.Algorithm
	}{
		"P-384 for ES256":       {&p384.PublicKey, "ES256"},
		"P-384":                 {&p384.PublicKey, ""},
		"P-521":                 {&p521.PublicKey, ""},
		"P-256 for ES512":       {&rawP256(t).PublicKey, "ES512"},
		"P-256 for EdDSA":       {&rawP256(t).PublicKey, "EdDSA"},
		"RSA of 2048 bits":      {&raw2048().PublicKey, ""},
		"RSA for RS256":         {&rawRSA().PublicKey, "RS256"},
		"RSA for ES256":         {&rawRSA().PublicKey, "ES256"},
		"RSA with e = 3":        {small, ""},
		"RSA with an even e":    {even, ""},
		"RSA with e = 1":        {&rsa.PublicKey{N: rawRSA().N, E: 1}, ""},
		"RSA with an even n":    {evenN, ""},
		"RSA of 8201 bits":      {huge, ""},
		"RSA without n":         {&rsa.PublicKey{E: 65537}, ""},
		"HMAC of 1 byte":        {[]byte{1}, ""},
		"HMAC of 31 bytes":      {rawSecret()[:31], ""},
		"HMAC for HS512":        {rawSecret(), "HS512"},
		"HMAC for ES256":        {rawSecret(), "ES256"},
		"an ECDSA key of nil":   {(*ecdsa.PublicKey)(nil), ""},
		"an RSA key of nil":     {(*rsa.PublicKey)(nil), ""},
		"an empty ECDSA key":    {&ecdsa.PublicKey{Curve: elliptic.P256()}, ""},
		"a private key":         {rawP256(t), ""},
		"a private Ed25519 key": {rawEd25519(t), ""},
		"nothing":               {nil, ""},
		"a string":              {"secret", ""},
	} {
		if key, err := jose.NewVerificationKey(c.raw, c.alg, "", jose.KeyRules{}); !errors.Is(err, jose.ErrKey) || key != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	rules := jose.KeyRules{RS256: true, RSA2048: true}
	for _, alg := range []jose.Algorithm{"", "RS256", "PS256"} {
		if _, err := jose.NewVerificationKey(&raw2048().PublicKey, alg, "", rules); err != nil {
			t.Errorf("2048 bits for %q where a rule admits it: %v", alg, err)
		}
	}
}

func TestD18UseAndKeyOpsMustAllowVerification(t *testing.T) {
	jwk := publicJWK(t, signingKey(t, rawEd25519(t)))
	jwk = strings.Replace(jwk, `"use":"sig"`, `USE`, 1)
	for use, good := range map[string]bool{
		`"use":"sig"`: true, `"new":1`: true, `"key_ops":["verify"]`: true, `"key_ops":["sign","verify"]`: true,
		`"use":"enc"`: false, `"use":""`: false, `"use":1`: false, `"key_ops":["sign"]`: false, `"key_ops":[]`: false,
		`"key_ops":"verify"`: false, `"key_ops":["encrypt"]`: false, `"use":"enc","key_ops":["verify"]`: false,
	} {
		set, _, err := jose.ParseSet(jwks(strings.Replace(jwk, "USE", use, 1)), jose.KeyRules{}, nil)
		if err != nil || (set.Len() == 1) != good {
			t.Errorf("%s: %d keys, %v", use, set.Len(), err)
		}
	}
}

func publicJWK(t testing.TB, key *jose.SigningKey) string {
	t.Helper()
	jwk, ok := key.Verification().PublicJWK()
	if !ok {
		t.Fatal("no public form")
	}
	text, err := json.Marshal(jwk)
	check(t, err)
	return string(text)
}

func TestD19UnknownKeyTypesAreSkipped(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	set, skipped, err := jose.ParseSet(jwks(
		`{"kty":"AKP","kid":"pq","alg":"ML-DSA-44","pub":"AAAA"}`, publicJWK(t, key), `{"kty":"new"}`,
	), jose.KeyRules{}, nil)
	check(t, err)
	if set.Len() != 1 || len(skipped) != 2 {
		t.Errorf("%d keys, %d skipped", set.Len(), len(skipped))
	}
	if _, err := set.Verify(mint(t, key, goodPayload), accessForm); err != nil {
		t.Error(err)
	}
}

func TestD24KeysAreCopiedWhenLoaded(t *testing.T) {
	ed, secret, pss := rawEd25519(t), rawSecret(), *rawRSA()
	public := ed.Public().(ed25519.PublicKey)
	shared := append([]byte{}, secret...)
	pss.N = new(big.Int).Set(pss.N)
	for name, c := range map[string]struct {
		raw     any
		signer  any
		corrupt func()
	}{
		"Ed25519": {public, ed, func() { clear(public) }},
		"HS256":   {shared, secret, func() { clear(shared) }},
		"PS256":   {&pss.PublicKey, rawRSA(), func() { pss.N.SetInt64(4) }},
	} {
		key, err := jose.NewVerificationKey(c.raw, "", "", jose.KeyRules{})
		check(t, err)
		set, err := jose.NewSet(key)
		check(t, err)
		token := mint(t, signingKey(t, c.signer), goodPayload)
		c.corrupt()
		if _, err := set.Verify(token, accessForm); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestD25SaltIsAsLongAsTheHash(t *testing.T) {
	key := signingKey(t, rawRSA())
	set := setOf(t, key)
	input := encoding.EncodeToString([]byte(headerFor(key, ""))) + "." + encoding.EncodeToString([]byte(goodPayload))
	digest := sha256.Sum256([]byte(input))
	for _, salt := range []int{0, 1, 20, 31, 32, 33, 64, rsa.PSSSaltLengthAuto} {
		// A length of 0 means the maximum, so an empty salt is not created here.
		signature, err := rsa.SignPSS(rand.Reader, rawRSA(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
		check(t, err)
		_, err = set.Verify(input+"."+encoding.EncodeToString(signature), accessForm)
		if (err == nil) != (salt == 32) {
			t.Errorf("salt of %d bytes: %v", salt, err)
		}
	}
}

// ASVS 5.0, 9.1.2.
func TestD26SecretsAreNoEncodedKeys(t *testing.T) {
	public := &rawP256(t).PublicKey
	spki, err := x509.MarshalPKIXPublicKey(public)
	check(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rawEd25519(t))
	check(t, err)
	edPublic, err := x509.MarshalPKIXPublicKey(rawEd25519(t).Public())
	check(t, err)
	for name, secret := range map[string][]byte{
		"PEM":              pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}),
		"PEM after a line": append([]byte("\n"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})...),
		"DER":              spki,
		"DER of Ed25519":   edPublic,
		"DER of PKCS #1":   x509.MarshalPKCS1PublicKey(&rawRSA().PublicKey),
		"DER of PKCS #8":   pkcs8,
		"a JWK":            []byte(publicJWK(t, signingKey(t, rawEd25519(t)))),
		"a JWK Set":        jwks(publicJWK(t, signingKey(t, rawEd25519(t)))),
		"an SSH key":       []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdd3mSGXnzz root"),
		"zeros":            make([]byte, 32),
		"one byte":         []byte(strings.Repeat("a", 64)),
		"nothing":          {},
	} {
		if _, err := jose.NewSigningKey(secret, "at+jwt"); !errors.Is(err, jose.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	random := mathrand.NewChaCha8([32]byte{}) // the same in each run
	for range 10_000 {                        // none of which may be refused
		secret := make([]byte, 64)
		random.Read(secret)
		secret[0], secret[1] = '0', 62 // DER of a sequence of 62 bytes, at first sight
		if _, err := jose.NewVerificationKey(secret, "", "x", jose.KeyRules{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestD28BothNamesOfEd25519AreOneAlgorithm(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	for _, name := range []string{"EdDSA", "Ed25519"} {
		header := `{"alg":"` + name + `","kid":"` + key.Verification().ID() + `","typ":"at+jwt"}`
		if _, err := setOf(t, key).Verify(forge(t, raw, header, goodPayload), accessForm); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		jwk := strings.Replace(publicJWK(t, key), `"alg":"EdDSA"`, `"alg":"`+name+`"`, 1)
		if set, _, err := jose.ParseSet(jwks(jwk), jose.KeyRules{}, nil); err != nil || set.Len() != 1 {
			t.Errorf("%s in a JWK: %v", name, err)
		}
	}
}
