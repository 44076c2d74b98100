package token_test

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 13.3.1.
// Keys that came from a secret manager are those of the host that wrote them: each host
// refreshes and verifies what the other has issued, also after a rotation.
func TestKeysComeFromBytes(t *testing.T) {
	for _, algorithm := range []token.Algorithm{token.Ed25519, token.ES256, token.PS256, token.HS256} {
		keys := newKeys(t, algorithm)
		text, err := keys.Bytes()
		must(t, err)
		copied, err := token.ParseKeySet(text)
		must(t, err)
		s := &store.Memory{}
		here, there := newIssuer(t, over(s, keys)), newIssuer(t, over(s, copied))
		tokens := issued(t, here)
		if _, err := there.Verify(t.Context(), tokens.AccessToken); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		must(t, keys.Rotate())
		text, err = keys.Bytes()
		must(t, err)
		must(t, copied.ReloadBytes(text))
		again, err := copied.Bytes()
		must(t, err)
		if !bytes.Equal(text, again) {
			t.Errorf("%s: the copy differs", algorithm)
		}
		wants(t, there, issued(t, here).RefreshToken, valid)
		wants(t, there, tokens.RefreshToken, valid)
	}
}

// A secret manager and a file hold the same text, so a program can move from one to the
// other.
func TestBytesAreThoseOfTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := newKeys(t, "")
	must(t, keys.Save(path))
	file, err := os.ReadFile(path)
	must(t, err)
	text, err := keys.Bytes()
	must(t, err)
	if !bytes.Equal(text, file) {
		t.Error("they differ")
	}
}

func TestBytesThatAreNoKeysChangeNothing(t *testing.T) {
	keys := newKeys(t, token.HS256)
	before, err := keys.Bytes()
	must(t, err)
	for _, text := range []string{"", "{}", "null", `{"signing":{"keys":[]},"refresh":[]}`, string(before[:len(before)/2]), string(before) + "x"} {
		if set, err := token.ParseKeySet([]byte(text)); err == nil || set != nil {
			t.Errorf("%.20q: %v, %v", text, set, err)
		}
		if err := keys.ReloadBytes([]byte(text)); err == nil {
			t.Errorf("%.20q was loaded", text)
		}
	}
	after, err := keys.Bytes()
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the keys have changed")
	}
	if _, err := new(token.KeySet).Bytes(); err == nil {
		t.Error("no keys have bytes")
	}
}

// ASVS 5.0, 16.2.5.
// Encoders and loggers look for interfaces and exported fields. They find none.
func TestNothingEncodesAKeySetByMistake(t *testing.T) {
	keys := newKeys(t, token.HS256)
	var set any = keys
	for what, found := range map[string]bool{
		"TextMarshaler":   is[encoding.TextMarshaler](set),
		"TextAppender":    is[encoding.TextAppender](set),
		"BinaryMarshaler": is[encoding.BinaryMarshaler](set),
		"BinaryAppender":  is[encoding.BinaryAppender](set),
		"json.Marshaler":  is[json.Marshaler](set),
		"gob.GobEncoder":  is[gob.GobEncoder](set),
		"slog.LogValuer":  is[slog.LogValuer](set),
	} {
		if found {
			t.Errorf("KeySet is a %s", what)
		}
	}
	var out bytes.Buffer
	logs := []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))}
	for _, v := range []any{keys, struct{ Keys *token.KeySet }{keys}, map[string]any{"keys": keys}} {
		for _, log := range logs {
			log.Info("keys", "keys", v)
		}
		text, _ := json.Marshal(v)
		out.Write(text)
		text, _ = xml.Marshal(v)
		out.Write(text)
		gob.NewEncoder(&out).Encode(v)
	}
	for n, text := range secrets(t, keys) {
		raw, err := b64.DecodeString(text)
		must(t, err)
		for _, spelling := range append(spellings(raw), text) {
			if strings.Contains(out.String(), spelling) {
				t.Errorf("secret %d is encoded as %.20q", n, spelling)
			}
		}
	}
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}
