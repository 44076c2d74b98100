package stored_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/internal/stored"
)

func TestWritesGoOnAfterTheClientDisconnectsForFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, disconnect := context.WithCancel(t.Context())
		ctx, cancel := stored.Writing(client)
		defer cancel()
		disconnect()
		time.Sleep(5*time.Second - time.Nanosecond)
		if err := ctx.Err(); err != nil {
			t.Errorf("after 5 s less a nanosecond: %v", err)
		}
		time.Sleep(2 * time.Nanosecond)
		if err := ctx.Err(); err != context.DeadlineExceeded {
			t.Errorf("after more than 5 s: %v", err)
		}
	})
}

func TestPrintableTextIsShortAndControlsNothing(t *testing.T) {
	for text, want := range map[string]string{
		"Firefox":            "Firefox",
		"":                   "",
		"1234567890":         "12345678",
		"1234567é":           "1234567", // cut within é
		"a\xffb":             "ab",
		"a\r\n\x00\x1bb":     "ab",
		"a\u202eb":           "ab", // right-to-left override
		"한국":                 "한국",
		"a b":                "a b",
		"\u200b\u2028\u00ad": "",
	} {
		if got := stored.Printable(text, 8); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
