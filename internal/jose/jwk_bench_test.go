package jose_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/jose"
)

// hostileSet is a JWK Set of nearly a mebibyte: one key with as many members as fit.
func hostileSet() (document []byte, members int) {
	var b strings.Builder
	b.WriteString(`{"keys":[{"kty":"new"`)
	for ; b.Len() < jose.MaxDocument-32; members++ {
		fmt.Fprintf(&b, `,"%x":0`, members)
	}
	b.WriteString(`}]}`)
	return []byte(b.String()), members
}

func BenchmarkHostileSet(b *testing.B) {
	document, _ := hostileSet()
	b.ReportAllocs()
	for b.Loop() {
		jose.ParseSet(document, jose.KeyRules{}, nil)
	}
}

// Parsing a JWK must not allocate for each member that is ignored.
func TestMembersThatDoNotCountCostNoAllocation(t *testing.T) {
	count := func(document []byte) float64 {
		return testing.AllocsPerRun(3, func() { jose.ParseSet(document, jose.KeyRules{}, nil) })
	}
	document, members := hostileSet()
	// The remaining allocations are for the map of the duplicate check, which has a
	// string for each name.
	if n := count(document); n > 1.2*float64(members) {
		t.Errorf("%v allocations for %d members", n, members)
	}
	few := count([]byte(`{"keys":[{"kty":"new","a":1,"b":2,"c":3}]}`))
	more := count([]byte(`{"keys":[{"kty":"new","a":1,"b":2,"c":3,"e1":1,"e2":1,"e3":1,"e4":1,"e5":1,"e6":1}]}`))
	if more > few {
		t.Errorf("%v allocations, and %v with six members more", few, more)
	}
}
