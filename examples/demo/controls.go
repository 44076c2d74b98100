package main

import "net/http"

// connect disconnects the store of a mode for a visitor, or connects it again.
func (d *demo) connect(w http.ResponseWriter, r *http.Request) {
	v, mode, ok := d.victim(w, r)
	if !ok {
		return
	}
	what := "connected"
	if r.PostFormValue("connected") == "no" {
		what = "disconnected"
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.disconnected[mode] = what == "disconnected"
	v.file(r.Header.Get(stepHeader), &exchange{visitor: v, From: "store", What: what})
	w.WriteHeader(http.StatusNoContent)
}

// reset takes from the thief what it has stolen of a mode, and connects the store. Without
// a mode it does so for both and deletes the record. It ends no login.
func (d *demo) reset(w http.ResponseWriter, r *http.Request) {
	v := d.visitors.of(r)
	if v == nil {
		http.Error(w, "whose record?", http.StatusBadRequest)
		return
	}
	mode := r.PostFormValue("mode")
	v.mu.Lock()
	defer v.mu.Unlock()
	if mode != tokenMode {
		delete(v.stolen, sessionCredential)
		delete(v.disconnected, sessionMode)
	}
	if mode != sessionMode {
		delete(v.stolen, accessCredential)
		delete(v.stolen, refreshCredential)
		delete(v.disconnected, tokenMode)
	}
	if mode == "" {
		v.steps = nil
	}
	w.WriteHeader(http.StatusNoContent)
}
