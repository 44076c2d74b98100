package main

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// accounts stands for the table of a database: rows by the name that they are
// looked up by.
type accounts struct {
	mu   sync.Mutex
	rows map[string]account
}

// account is a row. While more passwords were replaced than revoked, a LogoutAll is
// owed: log-ins by a password of before may be alive.
type account struct {
	hash              string
	replaced, revoked int
}

// nameOf is the form in which a name is looked up, whoever types it.
func nameOf(typed string) string { return strings.ToLower(strings.TrimSpace(typed)) }

// isName reports whether a name can stand in the header of a mail, in a log and on
// a page: a line break in it would begin a header or a line of its own, and an
// invisible character would make it look like another.
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

// rehash stores another hash of the same password, and reports whether the hash
// was still that of before.
func (a *accounts) rehash(name, before, hash string) bool {
	return a.swap(name, before, hash, 0)
}

// replace stores the hash of a new password and, in the same write, that log-ins by
// the old one are to be revoked: a program that ends right after it must not forget
// that. It reports whether the hash was still that of before: of two who change a
// password at once, one finds out that the current one is another by now.
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

// owes reports whether a LogoutAll is owed, and how many passwords were replaced:
// once it is done, revoked takes that number.
func (a *accounts) owes(name string) (replaced int, owed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	row := a.rows[name]
	return row.replaced, row.replaced > row.revoked
}

// revoked notes that the log-ins by that many replaced passwords have ended.
func (a *accounts) revoked(name string, replaced int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if row, ok := a.rows[name]; ok {
		row.revoked = max(row.revoked, replaced)
		a.rows[name] = row
	}
}
