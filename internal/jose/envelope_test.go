package jose_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/authlatch/auth/internal/jose"
)

func TestTokensOfAnotherShapeAreRefused(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	set := setOf(t, key)
	token := mint(t, key, goodPayload)
	part := strings.Split(token, ".")
	for name, bad := range map[string]string{
		"empty":                        "",
		"a dot":                        ".",
		"two dots":                     "..",
		"one segment":                  part[0],
		"two segments":                 part[0] + "." + part[1],
		"no signature":                 part[0] + "." + part[1] + ".",
		"no header":                    "." + part[1] + "." + part[2],
		"no payload":                   part[0] + ".." + part[2],
		"four segments":                token + "." + part[2],
		"five segments":                token + "." + part[1] + "." + part[2],
		"a dot in front":               "." + token,
		"a dot behind":                 token + ".",
		"a space in front":             " " + token,
		"Bearer in front":              "Bearer " + token,
		"two tokens":                   token + " " + token,
		"a comma":                      token + ",",
		"a tilde":                      token + "~",
		"a percent sign":               strings.Replace(token, ".", "%2E", 1),
		"full-width dots":              strings.ReplaceAll(token, ".", "．"),
		"no UTF-8":                     token + "\xff",
		"a segment of 4n+1":            part[0] + "AAAAA"[:5-len(part[0])%4] + "." + part[1] + "." + part[2],
		"the longest and one more":     strings.Repeat("A", jose.MaxToken-2) + ".A.",
		"8193 bytes":                   part[0] + "." + strings.Repeat("A", jose.MaxToken) + "." + part[2],
		"a mebibyte of dots":           strings.Repeat(".", 1<<20),
		"a header that is not base64":  "A." + part[1] + "." + part[2],
		"a payload that is not base64": part[0] + ".A." + part[2],
		"a header that is not JSON":    "AAAA." + part[1] + "." + part[2],
	} {
		t.Run(name, func(t *testing.T) { refused(t, set, bad, jose.ErrMalformed) })
	}
}

// ASVS 5.0, 9.1.1.
func TestAnyChangedBitIsRefused(t *testing.T) {
	for _, alg := range minted {
		key := signingKey(t, rawKey(t, alg))
		set := setOf(t, key)
		token := mint(t, key, goodPayload)
		for at := range token {
			for _, bit := range []byte{1, 4, 128} {
				changed := []byte(token)
				changed[at] ^= bit
				if got, err := set.Verify(string(changed), accessForm); err == nil {
					t.Fatalf("%s: byte %d: accepted with %s", alg, at, got.Payload)
				}
			}
		}
	}
}

func TestAnotherKeyOfTheSameKidIsRefused(t *testing.T) {
	for _, alg := range minted {
		key := signingKey(t, rawKey(t, alg))
		if alg == jose.PS256 {
			continue // the tests share one key
		}
		refused(t, setOf(t, key), forge(t, rawKey(t, alg), headerFor(key, ""), goodPayload), jose.ErrSignature)
	}
}

func TestSignatureHasTheLengthOfTheKey(t *testing.T) {
	for _, alg := range minted {
		key := signingKey(t, rawKey(t, alg))
		set := setOf(t, key)
		token := mint(t, key, goodPayload)
		end := strings.LastIndexByte(token, '.')
		signature, err := encoding.DecodeString(token[end+1:])
		check(t, err)
		for _, other := range [][]byte{
			signature[1:], signature[:len(signature)-1], append([]byte{0}, signature...), append(signature, 0), {0}, make([]byte, 512),
		} {
			refused(t, set, token[:end+1]+encoding.EncodeToString(other), jose.ErrSignature)
		}
	}
}

func TestSignaturesThatAreNumbersOutOfRangeAreRefused(t *testing.T) {
	key := signingKey(t, rawP256(t))
	token := mint(t, key, goodPayload)
	end := strings.LastIndexByte(token, '.') + 1
	order, ones := decodeHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"), strings.Repeat("\xff", 32)
	zero, one := strings.Repeat("\x00", 32), strings.Repeat("\x00", 31)+"\x01"
	numbers := []string{zero, one, string(order), ones}
	for _, r := range numbers {
		for _, s := range numbers {
			refused(t, setOf(t, key), token[:end]+encoding.EncodeToString([]byte(r+s)), jose.ErrSignature)
		}
	}
}

func TestHeadersAreStrict(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	for name, c := range map[string]struct {
		header string
		kind   error
	}{
		"null":                  {"null", jose.ErrMalformed},
		"an array":              {"[]", jose.ErrMalformed},
		"a string":              {`"x"`, jose.ErrMalformed},
		"an empty object":       {"{}", jose.ErrAlgorithm},
		"a byte order mark":     {"\ufeff" + headerFor(key, ""), jose.ErrMalformed},
		"bad UTF-8":             {headerFor(key, ",\"x\":\"\xff\""), jose.ErrMalformed},
		"an unpaired surrogate": {headerFor(key, `,"x":"\ud800"`), jose.ErrMalformed},
		"longer than 1 KiB":     {headerFor(key, `,"x":"`+strings.Repeat("x", 1024)+`"`), jose.ErrMalformed},
		"too deep":              {headerFor(key, `,"x":`+strings.Repeat("[", 16)+strings.Repeat("]", 16)), jose.ErrMalformed},
		"zip":                   {headerFor(key, `,"zip":"DEF"`), jose.ErrMalformed},
		"cty":                   {headerFor(key, `,"cty":"JWT"`), jose.ErrMalformed},
		"jwk":                   {headerFor(key, `,"jwk":`+publicJWK(t, key)), jose.ErrMalformed},
		"jku":                   {headerFor(key, `,"jku":"https://evil.test"`), jose.ErrMalformed},
		"x5u":                   {headerFor(key, `,"x5u":"https://evil.test"`), jose.ErrMalformed},
		"x5c":                   {headerFor(key, `,"x5c":["MA"]`), jose.ErrMalformed},
		"x5t":                   {headerFor(key, `,"x5t":"MA"`), jose.ErrMalformed},
		"x5t#S256":              {headerFor(key, `,"x5t#S256":"MA"`), jose.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) { refused(t, set, forge(t, raw, c.header, goodPayload), c.kind) })
	}
	for name, header := range map[string]string{
		"an unknown member": headerFor(key, `,"x":{"y":[1]}`),
		"white space":       " { \"alg\" : \"EdDSA\",\n\"kid\":\"" + key.Verification().ID() + "\",\t\"typ\":\"at+jwt\" } ",
		"escapes":           strings.Replace(headerFor(key, ""), `"alg"`, `"\u0061lg"`, 1),
	} {
		if _, err := set.Verify(forge(t, raw, header, goodPayload), accessForm); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTypIsComparedAsAMediaType(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	header := func(typ string) string {
		return `{"alg":"EdDSA","kid":"` + key.Verification().ID() + `"` + typ + `}`
	}
	for typ, kind := range map[string]error{
		`,"typ":"at+jwt"`:                   nil,
		`,"typ":"AT+JWT"`:                   nil,
		`,"typ":"application/at+jwt"`:       nil,
		`,"typ":"Application/At+Jwt"`:       nil,
		``:                                  jose.ErrType,
		`,"typ":"JWT"`:                      jose.ErrType,
		`,"typ":"at+jwt2"`:                  jose.ErrType,
		`,"typ":"at"`:                       jose.ErrType,
		`,"typ":"dpop+jwt"`:                 jose.ErrType,
		`,"typ":"logout+jwt"`:               jose.ErrType,
		`,"typ":"text/at+jwt"`:              jose.ErrType,
		`,"typ":"application/x/at+jwt"`:     jose.ErrType,
		`,"typ":"application/application/"`: jose.ErrType,
		`,"typ":"application/"`:             jose.ErrMalformed,
		`,"typ":""`:                         jose.ErrMalformed,
		`,"typ":null`:                       jose.ErrMalformed,
		`,"typ":["at+jwt"]`:                 jose.ErrMalformed,
		`,"typ":" at+jwt"`:                  jose.ErrMalformed,
		`,"typ":"at+\u212awt"`:              jose.ErrMalformed,
		`,"typ":"at+jwt\u0000"`:             jose.ErrMalformed,
	} {
		token := forge(t, raw, header(typ), goodPayload)
		if kind != nil {
			refused(t, set, token, kind)
		} else if _, err := set.Verify(token, accessForm); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestApplicationIsLeftOutBeforeASubtypeOnly(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	for typ, good := range map[string]bool{"x/y": true, "application/x/y": false} {
		header := `{"alg":"EdDSA","kid":"` + key.Verification().ID() + `","typ":"` + typ + `"}`
		_, err := setOf(t, key).Verify(forge(t, raw, header, goodPayload), jose.Form{Types: []string{"x/y"}})
		if (err == nil) != good {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// ASVS 5.0, 9.2.2.
// Tokens of one kind must not be accepted as another (RFC 8725, 3.12).
func TestKindsOfTokensExcludeEachOther(t *testing.T) {
	raw := rawEd25519(t)
	kinds := []string{"at+jwt", "dpop+jwt", "logout+jwt", "jwt"}
	for _, made := range kinds {
		key, err := jose.NewSigningKey(raw, made)
		check(t, err)
		token := mint(t, key, goodPayload)
		set := setOf(t, key)
		for range 2 {
			for _, asked := range kinds {
				_, err := set.Verify(token, jose.Form{Types: []string{asked}})
				if (err == nil) != (made == asked) {
					t.Errorf("%s as %s: %v", made, asked, err)
				}
			}
			if _, err := set.Verify(token, jose.Form{}); !errors.Is(err, jose.ErrType) {
				t.Errorf("a form that accepts no type: %v", err)
			}
		}
	}
}

func TestFormsLoosenOneThingEach(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	bare := `{"alg":"EdDSA","kid":"` + key.Verification().ID() + `"}`
	certificates := headerFor(key, `,"x5t":"MA","jku":"https://issuer.test/keys"`)
	for name, c := range map[string]struct {
		token string
		form  jose.Form
		good  bool
	}{
		"no typ where it may be absent":       {forge(t, raw, bare, goodPayload), jose.Form{Types: []string{"", "jwt"}}, true},
		"no typ where it may not":             {forge(t, raw, bare, goodPayload), jose.Form{Types: []string{"jwt"}}, false},
		"certificates where they are ignored": {forge(t, raw, certificates, goodPayload), jose.Form{Types: accessForm.Types, Foreign: true}, true},
		"certificates where they are not":     {forge(t, raw, certificates, goodPayload), accessForm, false},
		"jwk where certificates are ignored":  {forge(t, raw, headerFor(key, `,"jwk":{}`), goodPayload), jose.Form{Types: accessForm.Types, Foreign: true}, false},
		"a fraction where it is cut off":      {forge(t, raw, headerFor(key, ""), `{"exp":1800000000.75}`), jose.Form{Types: accessForm.Types, Foreign: true}, true},
		"a fraction where it is not":          {forge(t, raw, headerFor(key, ""), `{"exp":1800000000.75}`), accessForm, false},
		"a fraction below 1":                  {forge(t, raw, headerFor(key, ""), `{"exp":0.75}`), jose.Form{Types: accessForm.Types, Foreign: true}, false},
		"an exponent":                         {forge(t, raw, headerFor(key, ""), `{"exp":1.8e9}`), jose.Form{Types: accessForm.Types, Foreign: true}, false},
		"a fraction with an exponent":         {forge(t, raw, headerFor(key, ""), `{"exp":1.5e-1}`), jose.Form{Types: accessForm.Types, Foreign: true}, false},
		"a negative fraction":                 {forge(t, raw, headerFor(key, ""), `{"exp":-1.5}`), jose.Form{Types: accessForm.Types, Foreign: true}, false},
		"a fraction beyond the range":         {forge(t, raw, headerFor(key, ""), `{"exp":253402300800.5}`), jose.Form{Types: accessForm.Types, Foreign: true}, false},
	} {
		got, err := set.Verify(c.token, c.form)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if c.good && strings.Contains(name, "fraction") && got.Dates.Expires != 1800000000 {
			t.Errorf("%s: exp is %d", name, got.Dates.Expires)
		}
	}
}

func TestByteLevelTakesAnyPayload(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	header := `{"alg":"EdDSA","kid":"` + key.Verification().ID() + `"}`
	for _, payload := range []string{"", "x", "\xff\x00", "{}", goodPayload} {
		token := forge(t, raw, header, payload)
		got, by, err := set.VerifyJWS(token)
		if err != nil || string(got) != payload || by != key.Verification() {
			t.Errorf("%q: %q, %v", payload, got, err)
		}
		refused(t, set, token, nil)
	}
	bad := forge(t, rawEd25519(t), header, "x")
	if got, by, err := set.VerifyJWS(bad); !errors.Is(err, jose.ErrSignature) || got != nil || by != nil {
		t.Errorf("a wrong signature: %q, %v", got, err)
	}
	if _, _, err := set.VerifyJWS(forge(t, raw, headerFor(key, `,"crit":[]`), "x")); !errors.Is(err, jose.ErrMalformed) {
		t.Errorf("crit: %v", err)
	}
}

func TestPayloadsAreStrictObjects(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	nested := forge(t, raw, headerFor(key, ""), goodPayload)
	for _, payload := range []string{
		"null", "[]", `"x"`, "1", "true", "x", "{", `{"a":1`, `{"a":1,}`, `{,}`, `{"a"}`, `{a:1}`, `{'a':1}`, "\ufeff{}", "{}{}", `{"a":"` + "\xff" + `"}`,
		`{"a":"\ud800"}`, `{"a":NaN}`, nested, `"` + nested + `"`, `{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`,
	} {
		refused(t, set, forge(t, raw, headerFor(key, ""), payload), jose.ErrMalformed)
		if token, err := key.Mint([]byte(payload)); err == nil || token != "" {
			t.Errorf("minted %q", payload)
		}
	}
}

// ASVS 5.0, 4.2.5.
func TestMintedTokensHaveAtMost4096Bytes(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	set := setOf(t, key)
	longest := 0
	for size := 2700; size < 3100; size++ {
		payload := `{"a":"` + strings.Repeat("x", size) + `"}`
		token, err := key.Mint([]byte(payload))
		if err != nil {
			if !errors.Is(err, jose.ErrSign) || token != "" {
				t.Fatal(err)
			}
			break
		}
		longest = len(token)
		if _, err := set.Verify(token, accessForm); err != nil {
			t.Fatal(err)
		}
	}
	if longest > 4096 || longest < 4090 {
		t.Errorf("the longest has %d bytes", longest)
	}
}

// ASVS 5.0, 16.2.5.
func TestErrorsShowNothingOfTheToken(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	const mark = "MARKMARK"
	for _, token := range []string{
		mark, mark + "." + mark + "." + mark, forge(t, raw, `{"alg":"`+mark+`"}`, "{}"), forge(t, raw, `{"alg":"EdDSA","kid":"`+mark+`","typ":"at+jwt"}`, "{}"),
		forge(t, raw, headerFor(key, ""), `{"exp":"`+mark+`"}`), forge(t, raw, headerFor(key, `,"`+mark+`":1,"`+mark+`":1`), "{}"),
	} {
		_, err := set.Verify(token, accessForm)
		if err == nil || strings.Contains(err.Error(), mark) || !utf8.ValidString(err.Error()) {
			t.Errorf("%v", err)
		}
	}
}

func TestUnfitTypesAreNotMinted(t *testing.T) {
	for _, typ := range []string{"", "AT+JWT", "application/at+jwt", "a b", "é", strings.Repeat("x", 1024)} {
		if key, err := jose.NewSigningKey(ed25519.NewKeyFromSeed(make([]byte, 32)), typ); err == nil || key != nil {
			t.Errorf("%q is minted", typ)
		}
	}
}
