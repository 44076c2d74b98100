package watch

// Watched returns the number of watched logins, and of those that wait for a look.
func (w *Watcher) Watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.logins) + w.schedule.overdue.Len() + len(w.schedule.queue)
}
