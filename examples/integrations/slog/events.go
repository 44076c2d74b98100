package main

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authlatch/auth"
)

// levels says who should see an event: Info is the day's work, Warn is for who
// looks for attacks and faults, Error is for somebody to be woken up for.
var levels = map[auth.EventKind]slog.Level{
	auth.EventLogin:     slog.LevelInfo,
	auth.EventLogout:    slog.LevelInfo,
	auth.EventRevoked:   slog.LevelInfo,
	auth.EventExpired:   slog.LevelInfo,
	auth.EventRenewed:   slog.LevelInfo,
	auth.EventRecovered: slog.LevelInfo,
	auth.EventRejected:  slog.LevelWarn,
	auth.EventFailed:    slog.LevelWarn,
	auth.EventThrottled: slog.LevelWarn,
	auth.EventDenied:    slog.LevelWarn,
	auth.EventHealed:    slog.LevelWarn,
	auth.EventReuse:     slog.LevelError,
	auth.EventFault:     slog.LevelError,
}

// logTo returns a listener that makes a record of each event. The record has the
// time of the event, in UTC, and only those fields that the event has. Of a wrong
// password the subject is what somebody has typed as a name, which may be a
// password too: a log is for few to read.
func logTo(logger *slog.Logger) func(context.Context, auth.Event) {
	return func(ctx context.Context, e auth.Event) {
		level, known := levels[e.Kind]
		if !known { // what is new is not overlooked
			level = slog.LevelWarn
		}
		if !logger.Enabled(ctx, level) {
			return
		}
		record := slog.NewRecord(e.Time, level, "auth event", 0)
		add := func(name, value string) {
			if value != "" {
				record.AddAttrs(slog.String(name, plain(value)))
			}
		}
		add("kind", string(e.Kind))
		add("source", e.Source)
		add("subject", e.Subject)
		add("login_id", e.LoginID)
		add("reason", e.Reason)
		if e.Err != nil {
			add("error", e.Err.Error())
		}
		// Of an event that cannot be logged nobody is left to be told.
		_ = logger.Handler().Handle(ctx, record)
	}
}

// plain quotes what a terminal takes for a command or shows in another order,
// and whatever looks as if it were quoted. A JSON handler keeps all of it on one
// line, but what reads the line undoes that.
func plain(text string) string {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if strings.HasPrefix(text, `"`) || !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
		return strconv.QuoteToASCII(text)
	}
	return text
}
