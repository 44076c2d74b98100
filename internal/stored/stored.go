// Package stored bounds what a client's request leaves in a store: how long its writes
// go on, and which of the client's text they keep.
package stored

import (
	"context"
	"strings"
	"time"
	"unicode"
)

// writeTimeout bounds the writes of a call.
const writeTimeout = 5 * time.Second

// RetryAfter is the Retry-After of a 503, in seconds. It is as long as the writes of a call
// last at most, so that a client that repeats the request does not meet its own writes.
const RetryAfter = "5"

// Writing returns the context for the writes of a call. It lasts for at most 5 seconds
// and is not canceled with ctx: the writes go on when the client disconnects, so that
// no login or logout is left half done and no count is undone.
func Writing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}

// Printable returns the part of a client's text that a list of devices or an event can
// show: valid UTF-8 of at most the given number of bytes, without unprintable
// characters, so none controls how the text is displayed.
func Printable(text string, most int) string {
	text = strings.ToValidUTF8(text[:min(len(text), most)], "")
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, text)
}
