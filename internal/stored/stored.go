// Package stored has what all writes to a store, and the records in it, have in
// common, whatever they hold.
package stored

import (
	"context"
	"strings"
	"time"
	"unicode"
)

// Writing returns the context for the writes of a call. They go on when the
// client hangs up, so that no log-in or log-out is left half done and no count is
// undone, but for 5 seconds at most.
func Writing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

// Printable cuts what a client says of itself to what a list of devices or an
// event can show: valid UTF-8 of so many bytes at most, without characters that
// control how text is shown.
func Printable(text string, most int) string {
	text = strings.ToValidUTF8(text[:min(len(text), most)], "")
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, text)
}
