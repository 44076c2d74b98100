package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/jose"
	"github.com/c2sp/wycheproof"
)

// The files of JOSE vectors run as they are. Those of Ed25519 and ECDSA alone do
// not: none of their messages is the signing input of a JWS, and what verifies
// behind the envelope is crypto/ed25519 and crypto/ecdsa.

type vectorGroup struct {
	Private, Public json.RawMessage // a JWK or a JWK Set
	Tests           []vector
}

type vector struct {
	ID       int             `json:"tcId"`
	JWS, JWE json.RawMessage // a string, or the object of a JSON serialization
	Public   json.RawMessage // a JWK, where the vectors are of keys
	Result   string
}

// ruled are the rules for their keys, of which those of RSA have 2048 bits.
var ruled = jose.KeyRules{RS256: true, RSA2048: true, Secrets: true}

// mislabelled are vectors of json_web_signature_test.json whose label is wrong,
// and what is right.
var mislabelled = map[int]struct {
	accept bool
	why    string
}{
	346: {false, "the key is for PS256, the header says PS384"},
	347: {false, "the key is for ES521, which does not exist"},
	350: {false, "the key is for PS256, the header says PS384"},
	351: {false, "the key is for ES521, which does not exist"},
	367: {true, "it is vector 357, which is valid"},
	370: {true, "it is vector 357, which is valid"},
	372: {false, "a question mark is in the header"},
	373: {false, "a question mark is in the payload"},
}

// outcomes is how the vectors of a file come out.
type outcomes struct {
	accepted, refused int
	byPolicy          int // valid, of an algorithm that is not ours
	mislabelled       int
}

func TestWycheproofAgrees(t *testing.T) {
	for file, want := range map[string]outcomes{
		"json_web_signature_test.json": {accepted: 24, refused: 353, byPolicy: 16, mislabelled: 8},
		"json_web_crypto_test.json":    {accepted: 4, refused: 45},
		"json_web_key_test.json":       {accepted: 3, refused: 21, byPolicy: 2},
	} {
		var got outcomes
		for _, group := range vectors(t, file) {
			for _, v := range group.Tests {
				if v.JWS == nil {
					continue
				}
				err := group.verify(text(v.JWS), ruled)
				if wrong, ok := mislabelled[v.ID]; ok && file == "json_web_signature_test.json" {
					got.mislabelled++
					if accepted := err == nil; accepted != wrong.accept || v.valid() == wrong.accept {
						t.Errorf("%s %d: %s, and the answer is %v: %s", file, v.ID, v.Result, err, wrong.why)
					}
				} else if !got.count(v, err) {
					t.Errorf("%s %d: %s, but the answer is %v", file, v.ID, v.Result, err)
				}
			}
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", file, got, want)
		}
	}
}

// count counts an answer, unless it disagrees with the label.
func (o *outcomes) count(v vector, err error) bool {
	switch {
	case err == nil && v.valid():
		o.accepted++
	case err != nil && !v.valid():
		o.refused++
	case errors.Is(err, jose.ErrAlgorithm) && !slices.Contains(ours, v.algorithm()):
		o.byPolicy++
	default:
		return false
	}
	return true
}

// ASVS 5.0, 11.6.1.
// Without rules, P-256 is all that is left of their keys: all RSA keys have 2048
// bits or less, and a set with a secret is none.
func TestWycheproofIsRefusedWithoutRules(t *testing.T) {
	refused := make(map[string]int)
	for _, file := range []string{"json_web_signature_test.json", "json_web_crypto_test.json", "json_web_key_test.json"} {
		for _, group := range vectors(t, file) {
			kind := group.kind()
			for _, v := range group.Tests {
				if v.JWS == nil || kind == "EC" {
					continue
				}
				if err := group.verify(text(v.JWS), jose.KeyRules{}); err == nil {
					t.Errorf("%s %d: a key of kind %s verifies", file, v.ID, kind)
				}
				refused[kind]++
			}
		}
	}
	if refused["RSA"] != 338 || refused["oct"] != 75 {
		t.Errorf("vectors by kind of key: %v", refused)
	}
}

// ASVS 5.0, 11.3.1.
// A JWE is not a JWS, with any keys.
func TestWycheproofEncryptionIsRefused(t *testing.T) {
	groups := vectors(t, "json_web_crypto_test.json")
	count := 0
	for _, group := range groups {
		for _, v := range group.Tests {
			if v.JWE == nil {
				continue
			}
			count++
			if group.verify(text(v.JWE), ruled) == nil {
				t.Errorf("JWE %d is accepted with its own key", v.ID)
			}
			if err := groups[0].verify(text(v.JWE), ruled); !errors.Is(err, jose.ErrMalformed) {
				t.Errorf("JWE %d: %v", v.ID, err)
			}
		}
	}
	if count != 34 {
		t.Errorf("%d JWE", count)
	}
}

// ASVS 5.0, 11.2.3.
// What is wrong with a key is seen when it is read, before any signature.
func TestWycheproofKeysAreRefusedWhenRead(t *testing.T) {
	const file = "json_web_key_test.json"
	refusedSet := []int{1, 4}
	refusedKey := []int{6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26}
	for _, group := range vectors(t, file) {
		set, skipped, err := jose.ParseSet(group.document(), ruled, nil)
		for _, v := range group.Tests {
			if (err != nil) != slices.Contains(refusedSet, v.ID) {
				t.Errorf("%s %d: the set: %v", file, v.ID, err)
			}
			if err == nil && (set.Len() == 0) != slices.Contains(refusedKey, v.ID) {
				t.Errorf("%s %d: the keys: %v", file, v.ID, skipped)
			}
		}
	}
}

// The public keys of a file for ECDH: points of P-256, and what is none.
func TestWycheproofPointsAreRefusedUnlessOnTheCurve(t *testing.T) {
	var valid, invalid int
	for _, group := range vectors(t, "ecdh_secp256r1_webcrypto_test.json") {
		for _, v := range group.Tests {
			set, _, err := jose.ParseSet(slices.Concat([]byte(`{"keys":[`), v.Public, []byte(`]}`)), jose.KeyRules{}, nil)
			if err != nil || (set.Len() == 1) != v.valid() {
				t.Errorf("key %d: %s, but %v", v.ID, v.Result, err)
			}
			if v.valid() {
				valid++
			} else {
				invalid++
			}
		}
	}
	if valid != 330 || invalid != 23 {
		t.Errorf("%d valid keys, %d invalid ones", valid, invalid)
	}
}

// The labels of mislabelled are wrong for the reasons that stand there.
func TestWycheproofLabelsAreWrong(t *testing.T) {
	tokens := make(map[int]string)
	for _, group := range vectors(t, "json_web_signature_test.json") {
		for _, v := range group.Tests {
			tokens[v.ID] = text(v.JWS)
		}
	}
	if tokens[367] != tokens[357] || tokens[370] != tokens[357] {
		t.Error("367 and 370 are not 357")
	}
	if !strings.Contains(tokens[372], "?") || !strings.Contains(tokens[373], "?") {
		t.Error("372 and 373 have no question mark")
	}
}

func vectors(t *testing.T, file string) []vectorGroup {
	t.Helper()
	text, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var content struct{ TestGroups []vectorGroup }
	if err := json.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	return content.TestGroups
}

// verify asks for the answer to a token as an issuer's keys give it.
func (g vectorGroup) verify(token string, rules jose.KeyRules) error {
	set, _, err := jose.ParseSet(g.document(), rules, nil)
	if err == nil {
		_, _, err = set.VerifyJWS(token)
	}
	return err
}

// document is the JWK Set of a group: what it publishes, or its secrets.
func (g vectorGroup) document() []byte {
	key := g.Public
	if key == nil {
		key = g.Private
	}
	if bytes.Contains(key, []byte(`"keys"`)) {
		return key
	}
	return slices.Concat([]byte(`{"keys":[`), key, []byte(`]}`))
}

// kind is the kty of a group's key, or that of the first one.
func (g vectorGroup) kind() string {
	var set struct {
		Keys []struct{ Kty string }
	}
	if json.Unmarshal(g.document(), &set) != nil || len(set.Keys) == 0 {
		return ""
	}
	return set.Keys[0].Kty
}

// text is the token of a vector: a string, or the JSON serialization itself.
func text(token json.RawMessage) string {
	var s string
	if json.Unmarshal(token, &s) != nil {
		return string(token)
	}
	return s
}

func (v vector) valid() bool { return v.Result == "valid" }

// algorithm is the alg of a JWS.
func (v vector) algorithm() jose.Algorithm {
	header, _, _ := strings.Cut(text(v.JWS), ".")
	decoded, _ := base64.RawURLEncoding.DecodeString(header)
	var h struct{ Alg jose.Algorithm }
	json.Unmarshal(decoded, &h)
	return h.Alg
}

var ours = []jose.Algorithm{jose.Ed25519, jose.ES256, jose.PS256, jose.RS256, jose.HS256}
