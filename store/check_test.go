package store_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

func TestCheckKeyAcceptsPrintableASCIIWithoutSpace(t *testing.T) {
	for key, good := range map[string]bool{
		"k": true, strings.Repeat("k", 128): true, "!": true, "~": true, "a:b/c%": true,
		"": false, strings.Repeat("k", 129): false, " ": false, "a b": false,
		"a\x00": false, "\x1f": false, "a\x7f": false, "\x80": false, "é": false,
	} {
		if err := store.CheckKey(key); (err == nil) != good {
			t.Errorf("%q: %v", key, err)
		} else if err != nil && len(key) > 3 && strings.Contains(err.Error(), key) {
			t.Errorf("%q is in the error: %v", key, err)
		}
	}
}

func TestCheckValueAcceptsNilOldAndValuesWithinTheBound(t *testing.T) {
	v, longest := []byte("v"), make([]byte, store.MaxValue)
	tooLong := make([]byte, store.MaxValue+1)
	for rule, test := range map[string]struct {
		old, new []byte
		good     bool
	}{
		"creates":               {nil, v, true},
		"swaps":                 {v, v, true},
		"longest":               {longest, longest, true},
		"old that matches none": {tooLong, v, true},
		"old empty":             {[]byte{}, v, false},
		"new nil":               {v, nil, false},
		"new empty":             {nil, []byte{}, false},
		"new too long":          {v, tooLong, false},
	} {
		if err := store.CheckValue(test.old, test.new); (err == nil) != test.good {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestCheckTTLAcceptsWhatIsPositive(t *testing.T) {
	for ttl, good := range map[time.Duration]bool{
		1: true, time.Hour: true, math.MaxInt64: true, 0: false, -1: false, math.MinInt64: false,
	} {
		if err := store.CheckTTL(ttl); (err == nil) != good {
			t.Errorf("%v: %v", ttl, err)
		}
	}
}
