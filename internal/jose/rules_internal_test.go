package jose

import (
	"errors"
	"strings"
	"testing"
)

// What is missing is named: it is not that the engine computes wrongly.
func TestAnAlgorithmThatTheEngineLacksIsNamedAsSuch(t *testing.T) {
	for _, alg := range []Algorithm{"", "none", "HS512"} {
		_, err := newVerifier(alg)
		if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "no such algorithm") {
			t.Errorf("verifier of %q: %v", alg, err)
		}
		if _, err := newSigner(alg); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "no such algorithm") {
			t.Errorf("signer of %q: %v", alg, err)
		}
	}
}

// Both halves of a surrogate pair are escaped as \u and four digits.
func TestTheSecondHalfOfASurrogatePairIsAnEscapeToo(t *testing.T) {
	if err := CheckObject([]byte(`{"a":"\ud83d\ude00"}`)); err != nil {
		t.Error(err)
	}
	for _, text := range []string{`\ud83d\de00`, `\ud83d\Ude00`, `\ud83dude00`, `\ud83d\nde00`, `\ud83d\`, `\ud83d\u`, `\ud83d\ude0`} {
		if err := CheckObject([]byte(`{"a":"` + text + `"}`)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
