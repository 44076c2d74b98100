package main

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// accounts replaces a database table: rows by the name for lookup.
type accounts struct {
	mu   sync.Mutex
	rows map[string]account
}

// account is a row. While replaced is greater than revoked, a LogoutAll is due, because
// sessions by an earlier password may be valid.
type account struct {
	hash              string
	replaced, revoked int
}

// nameOf returns the form of a name for lookup.
func nameOf(typed string) string { return strings.ToLower(strings.TrimSpace(typed)) }

// isName reports whether a name is safe in the header of an email, in a log and on a page.
// A line break would start a new header or line, and an invisible character would make
// the name look like another.
func isName(name string) bool {
	return name != "" && len(name) <= 100 &&
		!strings.ContainsFunc(name, func(c rune) bool { return c == utf8.RuneError || !unicode.IsPrint(c) })
}

// hash returns "" if there is no such account.
func (a *accounts) hash(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rows[name].hash
}

// create reports whether the name was free.
func (a *accounts) create(name, hash string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rows == nil {
		a.rows = make(map[string]account)
	}
	if a.rows[name].hash != "" {
		return false
	}
	a.rows[name] = account{hash: hash}
	return true
}

// rehash stores a new hash of the same password, and reports whether the hash was
// unchanged before.
func (a *accounts) rehash(name, before, hash string) bool {
	return a.swap(name, before, hash, 0)
}

// replace stores the hash of a new password and, in the same write, that sessions by the
// old one must be revoked, so that a crash right after it does not lose this. It reports
// whether the hash was unchanged before: of two concurrent changes, one fails because the
// current password has changed.
func (a *accounts) replace(name, before, hash string) bool {
	return a.swap(name, before, hash, 1)
}

func (a *accounts) swap(name, before, hash string, replaced int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	row := a.rows[name]
	if before == "" || row.hash != before {
		return false
	}
	row.hash, row.replaced = hash, row.replaced+replaced
	a.rows[name] = row
	return true
}

// owes reports whether a LogoutAll is due, and how many passwords were replaced. Pass that
// number to revoked afterwards.
func (a *accounts) owes(name string) (replaced int, owed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	row := a.rows[name]
	return row.replaced, row.replaced > row.revoked
}

// revoked records that the sessions by that many replaced passwords were revoked.
func (a *accounts) revoked(name string, replaced int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if row, ok := a.rows[name]; ok {
		row.revoked = max(row.revoked, replaced)
		a.rows[name] = row
	}
}
