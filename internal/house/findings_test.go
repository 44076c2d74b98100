package house

import (
	"fmt"
	"strings"
	"testing"
)

// findings are the places that break one rule. They are reported together, with the
// instruction once.
type findings []string

func (f *findings) add(format string, args ...any) {
	*f = append(*f, fmt.Sprintf(format, args...))
}

// report fails the test if there are findings. The instruction says what to do.
func (f findings) report(t *testing.T, instruction string) {
	t.Helper()
	if len(f) > 0 {
		t.Errorf("%s:\n\t%s", instruction, strings.Join(f, "\n\t"))
	}
}
