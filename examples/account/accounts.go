package main

import (
	"strings"
	"sync"
)

// accounts stands for the table of a database: hashes by the name that they are
// looked up by.
type accounts struct {
	mu     sync.Mutex
	hashes map[string]string
}

// nameOf is the form in which a name is looked up, whoever types it.
func nameOf(typed string) string { return strings.ToLower(strings.TrimSpace(typed)) }

// hash returns "" if there is no such account.
func (a *accounts) hash(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hashes[name]
}

// create reports whether the name was free.
func (a *accounts) create(name, hash string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hashes == nil {
		a.hashes = make(map[string]string)
	}
	if a.hashes[name] != "" {
		return false
	}
	a.hashes[name] = hash
	return true
}

// replace reports whether the hash was still that of before: of two who change a
// password at once, one finds out that the current one is another by now.
func (a *accounts) replace(name, before, hash string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if before == "" || a.hashes[name] != before {
		return false
	}
	a.hashes[name] = hash
	return true
}
