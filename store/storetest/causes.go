package storetest

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
	"testing"
)

// causes are the errors of the store that rules of a run have reported. Each is reported
// once: a later rule that meets the same error is skipped, because it decides nothing.
type causes struct {
	mu    sync.Mutex
	rules map[string]string // the name of the first rule, by the error
	more  map[string]int    // the number of later rules
}

// A verdict is the reporter of one rule. It reports each cause once, and counts the rest.
type verdict struct {
	*testing.T
	causes *causes

	mu    sync.Mutex
	seen  map[string]bool // the causes of failures
	more  int             // the number of failures that were not reported
	known string          // the rule that has reported the error which this rule met
}

func newCauses() *causes {
	return &causes{rules: make(map[string]string), more: make(map[string]int)}
}

func (c *causes) verdict(t *testing.T) *verdict {
	return &verdict{T: t, causes: c, seen: make(map[string]bool)}
}

// claim returns the rule that has reported an error of the store before.
func (c *causes) claim(cause, rule string) (known string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first, ok := c.rules[cause]; ok && first != rule {
		return first
	}
	c.rules[cause] = rule
	return ""
}

// known reports whether a rule has reported the error.
func (c *causes) known(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.rules[withoutNumbers(err.Error())]
	return ok
}

// report ends a run.
func (c *causes) report(t *testing.T) {
	t.Helper()
	for cause, n := range c.more {
		t.Errorf("and %s skipped, because of the same error (-v names them): %s", count(n, "rule was", "rules were"), cause)
	}
}

// Errorf reports a failure, unless one of the same cause was reported.
func (v *verdict) Errorf(format string, args ...any) {
	v.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	cause, fromStore := causeOf(format, args)
	if v.seen[cause] {
		v.more++
		return
	}
	v.seen[cause] = true
	if fromStore {
		if known := v.causes.claim(cause, v.Name()); known != "" {
			v.known = known
			v.causes.count(cause)
			return
		}
	}
	v.T.Errorf(format, args...)
}

func (c *causes) count(cause string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.more[cause]++
}

// FailNow ends the rule.
func (v *verdict) FailNow() {
	v.Helper()
	v.end()
	v.T.FailNow()
}

// end reports how many failures were not reported one by one. It skips a rule whose
// failures are all known.
func (v *verdict) end() {
	v.Helper()
	if v.more > 0 && v.Failed() {
		v.T.Errorf("and %s of these causes", count(v.more, "more failure", "more failures"))
	}
	v.more = 0
	if v.known != "" && !v.Failed() {
		v.Skipf("not decided: the same error as in %s", v.known)
	}
}

// causeOf returns what makes failures alike: the innermost error, which comes from the
// store, or else the kind of failure.
func causeOf(format string, args []any) (cause string, fromStore bool) {
	for _, arg := range args {
		if err, ok := arg.(error); ok && err != nil {
			return withoutNumbers(innermost(err).Error()), true
		}
	}
	return format, false
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok && len(several.Unwrap()) > 0 {
			next = several.Unwrap()[0]
		}
		if next == nil {
			return err
		}
		err = next
	}
}

// numbers are what differs between errors of one cause: ports, times and random keys.
var numbers = regexp.MustCompile(`storetest:\S+|[0-9]+`)

func withoutNumbers(text string) string { return numbers.ReplaceAllString(text, "#") }

func count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", several)
}
