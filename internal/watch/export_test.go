package watch

// Watched returns the number of watched logins, of those that wait for a look, and of
// goroutines that look.
func (w *Watcher) Watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.logins) + w.schedule.overdue.Len() + len(w.schedule.queue) + w.looking
}
