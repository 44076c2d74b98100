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

// levels are the log levels of events: Info for normal operation, Warn for signs of attacks
// and faults, Error for alerts.
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

// logTo returns a hook that logs each event. The record has the time of the event, in UTC,
// and only those fields that the event has. After a wrong password the subject is the
// name as it was typed, which may be a password: restrict access to the log.
func logTo(logger *slog.Logger) func(context.Context, auth.Event) {
	return func(ctx context.Context, e auth.Event) {
		level, known := levels[e.Kind]
		if !known { // make unknown kinds visible
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
		add("actor", e.Actor)
		add("login_id", e.LoginID)
		add("reason", e.Reason)
		if e.Err != nil {
			add("error", e.Err.Error())
		}
		// An event that cannot be logged cannot be reported in any other way.
		_ = logger.Handler().Handle(ctx, record)
	}
}

// plain quotes text that a terminal interprets as a command or shows in another order, and
// text that looks quoted. A JSON handler escapes such text, but a reader of the log decodes
// it again.
func plain(text string) string {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if strings.HasPrefix(text, `"`) || !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
		return strconv.QuoteToASCII(text)
	}
	return text
}
