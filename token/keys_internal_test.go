package token

// What other hosts do with a KeySet is tested from outside; these tests reach
// for the seam that the issuer and the verifier use.

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/keyring"
)

var accessForm = jose.Form{Types: []string{keyring.AccessType}}

const payload = `{"iss":"https://issuer.test","sub":"alice"}`

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKeys(t testing.TB, algorithm Algorithm) *KeySet {
	t.Helper()
	if algorithm == PS256 {
		return pssKeys()
	}
	set, err := NewKeySet(algorithm)
	check(t, err)
	return set
}

func mintWith(t testing.TB, set *KeySet) string {
	t.Helper()
	token, err := set.mint([]byte(payload))
	check(t, err)
	return token
}

func verifies(set *KeySet, token string) bool {
	_, err := set.verificationSet().Verify(token, accessForm)
	return err == nil
}

func saved(t testing.TB, set *KeySet) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	check(t, set.Save(path))
	return path
}

func TestNewKeysSignAndVerify(t *testing.T) {
	for _, algorithm := range []Algorithm{"", Ed25519, ES256, PS256, HS256} {
		t.Run(string(algorithm), func(t *testing.T) {
			set := newKeys(t, algorithm)
			if !verifies(set, mintWith(t, set)) {
				t.Error("the set does not verify what it signs")
			}
			if secret, err := set.currentSecret(); err != nil || len(secret.Bytes) != 32 {
				t.Errorf("no refresh secret: %v", err)
			}
		})
	}
}

// ASVS 5.0, 11.4.3 and 11.6.1.
func TestUnknownAlgorithmsAreRefused(t *testing.T) {
	for _, algorithm := range []Algorithm{"RS256", "none", "Ed448", "es256"} {
		if set, err := NewKeySet(algorithm); err == nil || set != nil {
			t.Errorf("%q: %v", algorithm, err)
		}
	}
}

func TestLoadedKeysAreTheSavedOnes(t *testing.T) {
	for _, algorithm := range []Algorithm{Ed25519, ES256, PS256, HS256} {
		t.Run(string(algorithm), func(t *testing.T) {
			set := newKeys(t, algorithm)
			token := mintWith(t, set)
			if algorithm != PS256 { // whose keys take long to make
				check(t, set.Rotate())
			}
			loaded, err := LoadKeySet(saved(t, set))
			check(t, err)
			if !verifies(loaded, token) || !verifies(loaded, mintWith(t, set)) || !verifies(set, mintWith(t, loaded)) {
				t.Error("a token of one is refused by the other")
			}
			a, _ := set.currentSecret()
			b, _ := loaded.currentSecret()
			if a.ID != b.ID || !bytes.Equal(a.Bytes, b.Bytes) {
				t.Error("refresh secrets differ")
			}
		})
	}
}

// ASVS 5.0, 11.2.2 and 13.3.4.
func TestRotationPublishesBeforeUse(t *testing.T) {
	set := newKeys(t, "")
	published := set.verificationSet()
	first := mintWith(t, set)
	check(t, set.Rotate())
	second := mintWith(t, set)
	if _, err := published.Verify(second, accessForm); err != nil {
		t.Error("a verifier from before the rotation refuses a token from after it")
	}
	if !verifies(set, first) {
		t.Error("a former key does not verify")
	}
	check(t, set.Rotate())
	third := mintWith(t, set)
	if _, err := published.Verify(third, accessForm); err == nil {
		t.Error("three keys in a row were known from the start")
	}
	if set.verificationSet().Len() != 4 { // two former, current, next
		t.Errorf("set has %d keys", set.verificationSet().Len())
	}
}

func TestNextKeyOfALoadedSetIsTheNextOfTheSavedOne(t *testing.T) {
	set := newKeys(t, "")
	loaded, err := LoadKeySet(saved(t, set))
	check(t, err)
	check(t, set.Rotate())
	if !verifies(loaded, mintWith(t, set)) {
		t.Error("the next key was not published before its use")
	}
	secret, err := set.currentSecret()
	check(t, err)
	if _, err := loaded.secret(secret.ID); err != nil {
		t.Errorf("the next secret was not known before its use: %v", err)
	}
}

func TestRotationKeepsTheVeryKeys(t *testing.T) {
	set := newKeys(t, "")
	verified, err := set.verificationSet().Verify(mintWith(t, set), accessForm)
	check(t, err)
	check(t, set.Rotate())
	path := saved(t, set)
	check(t, set.Reload(path))
	if !set.verificationSet().Has(verified.Key) {
		t.Error("a rotation or a reload makes the same key another")
	}
	_, err = set.DropFormer(0)
	check(t, err)
	if set.verificationSet().Has(verified.Key) {
		t.Error("a dropped key is still there")
	}
}

// ASVS 5.0, 13.3.4.
func TestFormerKeysAreDroppedByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := newKeys(t, "")
		first := mintWith(t, set)
		secret, err := set.currentSecret()
		check(t, err)
		check(t, set.Rotate())
		time.Sleep(time.Hour)
		check(t, set.Rotate())
		second := mintWith(t, set)

		if n, err := set.DropFormer(time.Hour + 1); n != 0 || err != nil {
			t.Errorf("%d keys dropped a moment too early (%v)", n, err)
		}
		if _, err := set.secret(secret.ID); err != nil {
			t.Errorf("a former secret: %v", err)
		}
		if n, err := set.DropFormer(time.Hour); n != 2 || err != nil {
			t.Errorf("%d keys dropped, want a signing key and a secret (%v)", n, err)
		}
		if verifies(set, first) || !verifies(set, second) {
			t.Error("the wrong key was dropped")
		}
		if _, err := set.secret(secret.ID); !errors.Is(err, keyring.ErrRetired) {
			t.Errorf("a dropped secret: %v", err)
		}
		if _, err := set.secret("other"); !errors.Is(err, keyring.ErrUnknown) {
			t.Errorf("an unknown secret: %v", err)
		}
		loaded, err := LoadKeySet(saved(t, set))
		check(t, err)
		if _, err := loaded.secret(secret.ID); !errors.Is(err, keyring.ErrRetired) {
			t.Errorf("a dropped secret after loading: %v", err)
		}
		if _, err := set.DropFormer(-1); err == nil {
			t.Error("a negative age is accepted")
		}
	})
}

func TestRetiredSecretsAreBounded(t *testing.T) {
	set := newKeys(t, HS256)
	const maxSecrets = 100
	for range 2 * maxSecrets {
		check(t, set.Rotate())
		_, err := set.DropFormer(0)
		check(t, err)
	}
	if n := len(secretsOf(set)); n != maxSecrets {
		t.Errorf("ring has %d secrets", n)
	}
}

func TestFileHasMode0600AndNothingBesideIt(t *testing.T) {
	set := newKeys(t, "")
	path := saved(t, set)
	check(t, os.Chmod(path, 0o644))
	check(t, set.Save(path))
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %04o", info.Mode().Perm())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("%d files beside each other", len(entries))
	}
}

func TestSaveThatFailsLeavesTheOldFile(t *testing.T) {
	set := newKeys(t, "")
	path := filepath.Join(t.TempDir(), "folder")
	check(t, os.MkdirAll(filepath.Join(path, "file"), 0o700)) // rename cannot replace it
	if err := set.Save(path); err == nil {
		t.Fatal("a folder was replaced")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	check(t, err)
	if len(entries) != 1 || !entries[0].IsDir() {
		t.Errorf("left behind: %v", entries)
	}
}

func TestReadersOfTheFileSeeAWholeOne(t *testing.T) {
	set := newKeys(t, "")
	path := saved(t, set)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := LoadKeySet(path); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 20 {
		check(t, set.Rotate())
		_, err := set.DropFormer(0)
		check(t, err)
		check(t, set.Save(path))
	}
	close(stop)
	wg.Wait()
}

// ASVS 5.0, 11.2.2 and 15.4.1.
func TestKeysChangeWhileTheySign(t *testing.T) {
	set := newKeys(t, "")
	path := saved(t, set)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				token, err := set.mint([]byte(payload))
				if err != nil || !verifies(set, token) {
					t.Errorf("a token is refused during a rotation: %v", err)
					return
				}
				if secret, err := set.currentSecret(); err != nil || len(secret.Bytes) != 32 {
					t.Error("no secret during a rotation")
				}
			}
		})
	}
	for range 20 {
		check(t, set.Rotate())
		check(t, set.Save(path))
		check(t, set.Reload(path))
	}
	wg.Wait()
}

// kms is a crypto.Signer whose key cannot be exported.
type kms struct {
	crypto.Signer
	public crypto.PublicKey // nil: that of the signer
}

func (k kms) Public() crypto.PublicKey {
	if k.public != nil {
		return k.public
	}
	return k.Signer.Public()
}

// rawRSA and pssKeys are made once, since that takes long.
var rawRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, _ := rsa.GenerateKey(rand.Reader, 3072)
	return key
})

var pssKeys = sync.OnceValue(func() *KeySet {
	set, _ := NewKeySet(PS256)
	return set
})

func rawKeys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return map[string]crypto.Signer{"Ed25519": ed, "ES256": ec, "PS256": rawRSA()}
}

// ASVS 5.0, 13.3.3.
func TestAnySignerSigns(t *testing.T) {
	for name, raw := range rawKeys(t) {
		t.Run(name, func(t *testing.T) {
			set := newKeys(t, "")
			check(t, set.SetSigner(kms{Signer: raw}))
			if !verifies(set, mintWith(t, set)) {
				t.Error("the set does not verify what the signer signs")
			}
			if err := set.Rotate(); err != nil {
				t.Error(err)
			}
			if set.verificationSet().Len() != 1 {
				t.Error("Rotate touched keys that are kept elsewhere")
			}
		})
	}
}

func TestSignerRotatesThroughItsOthers(t *testing.T) {
	raw := rawKeys(t)
	set := newKeys(t, "")
	check(t, set.SetSigner(kms{Signer: raw["ES256"]}, raw["Ed25519"].Public()))
	first, published := mintWith(t, set), set.verificationSet()
	check(t, set.SetSigner(kms{Signer: raw["Ed25519"]}, raw["ES256"].Public()))
	second := mintWith(t, set)
	if _, err := published.Verify(second, accessForm); err != nil {
		t.Error("the next key was not published before its use")
	}
	verified, err := set.verificationSet().Verify(first, accessForm)
	if err != nil || !published.Has(verified.Key) {
		t.Error("the former key is gone, or another")
	}
}

// ASVS 5.0, 13.3.1 and 13.3.3.
func TestFileOfASignerHoldsRefreshSecretsOnly(t *testing.T) {
	set := newKeys(t, "")
	check(t, set.SetSigner(kms{Signer: rawKeys(t)["ES256"]}))
	token := mintWith(t, set)
	path := saved(t, set)
	text, err := os.ReadFile(path)
	check(t, err)
	if strings.Contains(string(text), `"kty"`) { // random secrets contain the letters
		t.Errorf("file holds a signing key: %s", text)
	}
	check(t, set.Reload(path)) // the signer stays
	if !verifies(set, token) || !verifies(set, mintWith(t, set)) {
		t.Error("the signer is gone after a reload")
	}
	loaded, err := LoadKeySet(path)
	check(t, err)
	if _, err := loaded.mint([]byte(payload)); err == nil {
		t.Error("signed without a signer")
	}
	check(t, loaded.SetSigner(kms{Signer: rawKeys(t)["Ed25519"]}))
	mintWith(t, loaded)
}

// ASVS 5.0, 11.2.3 and 11.6.1.
func TestUnfitSignersAreRefused(t *testing.T) {
	raw := rawKeys(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	other := rawKeys(t)
	cases := map[string]crypto.Signer{
		"nothing":                    nil,
		"another curve":              p384,
		"a short RSA key":            weak,
		"a public key of another":    kms{raw["ES256"], other["ES256"].Public()},
		"a public key of no kind":    kms{raw["ES256"], "none"},
		"a public key that is bytes": kms{raw["Ed25519"], make([]byte, 32)},
		"nil behind the interface":   (*ecdsa.PrivateKey)(nil),
		"an Ed25519 key that is cut": kms{raw["Ed25519"], raw["Ed25519"].Public().(ed25519.PublicKey)[:31]},
	}
	for name, signer := range cases {
		t.Run(name, func(t *testing.T) {
			set := newKeys(t, "")
			before := set.keys.Load()
			if err := set.SetSigner(signer); err == nil {
				t.Error("accepted")
			}
			if set.keys.Load() != before {
				t.Error("the keys changed all the same")
			}
		})
	}
	set := newKeys(t, "")
	if set.SetSigner(raw["ES256"], raw["ES256"].Public()) == nil {
		t.Error("one key twice is accepted")
	}
	if set.SetSigner(raw["ES256"], make([]byte, 32)) == nil {
		t.Error("a secret among the public keys is accepted")
	}
}

// edit returns the key file with a change to its parsed form.
func edit(t *testing.T, text []byte, change func(map[string]any)) []byte {
	t.Helper()
	var file map[string]any
	check(t, json.Unmarshal(text, &file))
	change(file)
	changed, err := json.Marshal(file)
	check(t, err)
	return changed
}

func signingOf(file map[string]any) []any {
	return file["signing"].(map[string]any)["keys"].([]any)
}

func setSigning(file map[string]any, keys ...any) {
	file["signing"].(map[string]any)["keys"] = keys
}

// ASVS 5.0, 11.2.3.
func TestHostileKeyFilesAreRefused(t *testing.T) {
	good := readFile(t, saved(t, newKeys(t, "")))
	ec := readFile(t, saved(t, newKeys(t, ES256)))
	hmac := readFile(t, saved(t, newKeys(t, HS256)))
	first := func(text []byte) (key map[string]any) {
		edit(t, text, func(f map[string]any) { key = signingOf(f)[0].(map[string]any) })
		return key
	}
	key := func(name string, value any) func(map[string]any) {
		return func(f map[string]any) { signingOf(f)[0].(map[string]any)[name] = value }
	}
	refresh := func(name string, value any) func(map[string]any) {
		return func(f map[string]any) { f["refresh"].([]any)[0].(map[string]any)[name] = value }
	}
	short := base64.RawURLEncoding.EncodeToString(make([]byte, 16))
	cases := []struct {
		name   string
		change func(map[string]any)
	}{
		{"d is that of another key", key("d", first(readFile(t, saved(t, newKeys(t, ""))))["d"])},
		{"x is that of another key", key("x", first(readFile(t, saved(t, newKeys(t, ""))))["x"])},
		{"d is cut", key("d", short)},
		{"d is missing", key("d", nil)},
		{"d is not canonical", key("d", first(good)["d"].(string)+"=")},
		{"x is cut", key("x", short)},
		{"kty is unknown", key("kty", "AKP")},
		{"kty is another", key("kty", "EC")},
		{"crv is another", key("crv", "X25519")},
		{"alg is another", key("alg", "ES256")},
		{"alg does not exist", key("alg", "none")},
		{"kid is not the thumbprint", key("kid", "mine")},
		{"use is encryption", key("use", "enc")},
		{"key_ops do not allow signing", key("key_ops", []string{"verify"})},
		{"a state is unknown", key("state", "paused")},
		{"a signing key is retired", func(f map[string]any) { signingOf(f)[1].(map[string]any)["state"] = "retired" }},
		{"a further state is unknown", func(f map[string]any) { signingOf(f)[1].(map[string]any)["state"] = "paused" }},
		{"the state of a refresh secret is unknown", func(f map[string]any) {
			f["refresh"].([]any)[1].(map[string]any)["state"] = "paused"
		}},
		{"a refresh secret with spare bits", refresh("secret", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9")},
		{"two are current", func(f map[string]any) { signingOf(f)[1].(map[string]any)["state"] = "current" }},
		{"none is current", key("state", "former")},
		{"a key twice", func(f map[string]any) { setSigning(f, append(signingOf(f), first(good))...) }},
		{"an elliptic key of another", func(f map[string]any) {
			k := first(ec)
			k["d"] = first(readFile(t, saved(t, newKeys(t, ES256))))["d"]
			setSigning(f, k)
		}},
		{"HMAC beside asymmetric", func(f map[string]any) {
			k := first(hmac)
			k["state"] = "former"
			setSigning(f, append(signingOf(f), k)...)
		}},
		{"a short HMAC secret", func(f map[string]any) {
			setSigning(f, map[string]any{"kty": "oct", "alg": "HS256", "k": short})
		}},
		{"an HMAC secret of PEM", func(f map[string]any) {
			pem := "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"
			setSigning(f, map[string]any{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte(pem))})
		}},
		{"an HMAC secret also keys refresh tokens", func(f map[string]any) {
			setSigning(f, map[string]any{"kty": "oct", "k": f["refresh"].([]any)[0].(map[string]any)["secret"]})
		}},
		{"no refresh secret", func(f map[string]any) { f["refresh"] = []any{} }},
		{"refresh is not a list", func(f map[string]any) { f["refresh"] = "x" }},
		{"a refresh secret twice", func(f map[string]any) {
			all := f["refresh"].([]any)
			all[1].(map[string]any)["secret"] = all[0].(map[string]any)["secret"]
		}},
		{"a refresh kid twice", func(f map[string]any) {
			all := f["refresh"].([]any)
			all[1].(map[string]any)["kid"] = all[0].(map[string]any)["kid"]
		}},
		{"a short refresh secret", refresh("secret", short)},
		{"a refresh secret of zeros", refresh("secret", base64.RawURLEncoding.EncodeToString(make([]byte, 32)))},
		{"a refresh secret that is padded", refresh("secret", strings.Repeat("A", 43)+"=")},
		{"a refresh secret that is missing", refresh("secret", nil)},
		{"an empty refresh kid", refresh("kid", "")},
		{"a refresh kid of control characters", refresh("kid", "a\nb")},
		{"a retired secret that is still there", func(f map[string]any) {
			f["refresh"].([]any)[1].(map[string]any)["state"] = "retired"
		}},
		{"an unknown member", func(f map[string]any) { f["signings"] = "x" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { refusedFile(t, edit(t, good, c.change)) })
	}
	texts := map[string][]byte{
		"empty":             {},
		"null":              []byte("null"),
		"an array":          []byte("[]"),
		"cut in the middle": good[:len(good)/2],
		"cut at the end":    good[:len(good)-3],
		"data behind it":    append(slices.Clone(good), "{}"...),
		"a member twice":    bytes.Replace(good, []byte(`"refresh"`), []byte(`"refresh":[],"refresh"`), 1),
		"a bare JWK Set":    []byte(`{"keys":[]}`),
		"PEM":               []byte("-----BEGIN PRIVATE KEY-----\n"),
		"bigger than 1 MiB": append(slices.Clone(good), bytes.Repeat([]byte(" "), 1<<20)...),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) { refusedFile(t, text) })
	}
}

// refusedFile asserts that a file is refused, that a running set keeps its
// keys, and that no piece of the file shows in the error.
func refusedFile(t *testing.T, text []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	check(t, os.WriteFile(path, text, 0o600))
	set, err := LoadKeySet(path)
	if err == nil || set != nil {
		t.Fatalf("accepted: %.300s", text)
	}
	for piece := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return strings.ContainsRune("\"{}[]:, \n\t", r) }) {
		if len(piece) > 12 && strings.Contains(err.Error(), piece) {
			t.Errorf("error shows %q of the file: %v", piece, err)
		}
	}
	running := newKeys(t, "")
	before := running.keys.Load()
	if running.Reload(path) == nil || running.keys.Load() != before {
		t.Error("a running set took the file")
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	return text
}

func TestFilesThatOthersReachAreRefused(t *testing.T) {
	path := saved(t, newKeys(t, ""))
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o666, 0o777} {
		check(t, os.Chmod(path, mode))
		if _, err := LoadKeySet(path); err == nil || !strings.Contains(err.Error(), "0600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		check(t, os.Chmod(path, mode))
		if _, err := LoadKeySet(path); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if _, err := LoadKeySet(filepath.Dir(path)); err == nil {
		t.Error("a folder was loaded")
	}
}

func TestMissingKeyFileSaysHowToMakeIt(t *testing.T) {
	_, err := LoadKeySet(filepath.Join(t.TempDir(), "keys.json"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "NewKeySet") || !strings.Contains(err.Error(), "KeySet.Save") {
		t.Error(err)
	}
}

func TestFileWithoutStatesTakesTheFirstAsCurrent(t *testing.T) {
	set := newKeys(t, "")
	token := mintWith(t, set)
	text := edit(t, readFile(t, saved(t, set)), func(f map[string]any) {
		for _, list := range [][]any{signingOf(f), f["refresh"].([]any)} {
			for _, each := range list {
				delete(each.(map[string]any), "state")
				delete(each.(map[string]any), "since")
			}
		}
	})
	path := filepath.Join(t.TempDir(), "keys.json")
	check(t, os.WriteFile(path, text, 0o600))
	loaded, err := LoadKeySet(path)
	check(t, err)
	if !verifies(loaded, token) || !verifies(set, mintWith(t, loaded)) {
		t.Error("the first key is not current")
	}
	header := func() string {
		before, _, _ := strings.Cut(mintWith(t, loaded), ".") // it names the key
		return before
	}
	before := header()
	check(t, loaded.Rotate()) // there was no next key, so none is used
	if header() != before {
		t.Error("a key was used that was never published")
	}
	check(t, loaded.Rotate())
	if header() == before {
		t.Error("the second Rotate does not rotate")
	}
}

func TestFormerKeysLoseTheirPrivateHalf(t *testing.T) {
	for _, algorithm := range []Algorithm{Ed25519, ES256} {
		set := newKeys(t, algorithm)
		token := mintWith(t, set)
		var d any
		edit(t, readFile(t, saved(t, set)), func(f map[string]any) { d = signingOf(f)[0].(map[string]any)["d"] })
		check(t, set.Rotate())
		path := saved(t, set)
		if strings.Contains(string(readFile(t, path)), d.(string)) {
			t.Error("the file still holds unneeded keys")
		}
		loaded, err := LoadKeySet(path)
		check(t, err)
		if !verifies(loaded, token) {
			t.Error("the former key does not verify")
		}
	}
}

func TestFormerKeyOfAFileLosesItsPrivateHalfWhenItIsLoaded(t *testing.T) {
	set := newKeys(t, "")
	var d string
	text := edit(t, readFile(t, saved(t, set)), func(f map[string]any) {
		former := signingOf(f)[1].(map[string]any)
		former["state"], d = "former", former["d"].(string)
	})
	path := filepath.Join(t.TempDir(), "keys.json")
	check(t, os.WriteFile(path, text, 0o600))
	loaded, err := LoadKeySet(path)
	check(t, err)
	if strings.Contains(string(readFile(t, saved(t, loaded))), d) {
		t.Error("the file still holds unneeded keys")
	}
}

func TestReloadNeverLosesTheSigningKeys(t *testing.T) {
	set, other := newKeys(t, ""), newKeys(t, "")
	check(t, other.SetSigner(kms{Signer: rawKeys(t)["ES256"]}))
	if err := set.Reload(saved(t, other)); err == nil {
		t.Error("keys in memory are taken for keys that are kept elsewhere")
	}
	mintWith(t, set)
	if path := saved(t, set); !strings.Contains(string(readFile(t, path)), `"d"`) {
		t.Error("they are no longer saved")
	}
}

func TestKeyFileIsGolden(t *testing.T) {
	const golden = `{
	"signing": {
		"keys": [
			{
				"kty": "OKP",
				"crv": "Ed25519",
				"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
				"alg": "EdDSA",
				"use": "sig",
				"kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
				"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
				"state": "current",
				"since": 1800000000
			}
		]
	},
	"refresh": [
		{
			"kid": "first",
			"secret": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
			"state": "current",
			"since": 1800000000
		},
		{
			"kid": "zeroth",
			"state": "retired",
			"since": 1700000000
		}
	]
}
`
	path := filepath.Join(t.TempDir(), "keys.json")
	check(t, os.WriteFile(path, []byte(golden), 0o600))
	set, err := LoadKeySet(path)
	check(t, err)
	if text := readFile(t, saved(t, set)); string(text) != golden {
		t.Errorf("saved again it is %s", text)
	}
}

func TestEmptyKeySetDoesNothing(t *testing.T) {
	var set KeySet
	if _, err := set.mint([]byte(payload)); err == nil {
		t.Error("signed")
	}
	if _, err := set.currentSecret(); err == nil {
		t.Error("has a secret")
	}
	if set.Rotate() == nil || set.Save(filepath.Join(t.TempDir(), "keys")) == nil {
		t.Error("rotated or saved")
	}
	if set.verificationSet() != nil {
		t.Error("verifies")
	}
}

func TestSaveIntoAMissingFolderIsAnError(t *testing.T) {
	set, err := NewKeySet(HS256)
	check(t, err)
	if err := set.Save(filepath.Join(t.TempDir(), "none", "keys")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}
