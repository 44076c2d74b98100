package main

import (
	"log/slog"
	"net/mail"
	"net/url"
	"strings"
)

// mailer sends a mail whose text ends in a link to a page of this site. It must only
// enqueue the mail: waiting for a mail server would reveal by time whether an account
// exists. It reports and repeats what fails by itself, for the same reason.
type mailer func(to, subject, text, page string)

// logMail returns a mailer for trials. Links are made of the configured address of the
// site: an attacker who sends another Host header must not change where a link leads.
func logMail(log *slog.Logger, site string) mailer {
	return func(to, subject, text, page string) {
		log.Info("mail to " + to + ": " + subject + ": " + text + " " + site + page)
	}
}

// setPage returns the page of a link that sets a password.
func setPage(address, token string) string {
	return "/set?" + url.Values{"mail": {address}, "token": {token}}.Encode()
}

// mailOf returns the form of a mail address in which accounts are looked up, and to which
// mails are sent.
func mailOf(typed string) string { return strings.ToLower(strings.TrimSpace(typed)) }

// isMail reports whether mails can be sent to an address. It must be printable ASCII, so
// that it is safe in the header of a mail and in a log, and so that no other letter is
// taken for one of it.
func isMail(address string) bool {
	if len(address) > 254 || strings.ContainsFunc(address, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return false
	}
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address
}
