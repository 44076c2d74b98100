package logins

import "context"

// All returns every entry of a list, those that are ending included.
func (l *Lists) All(subject string) []Entry {
	list, err := l.read(context.Background(), subject)
	if err != nil {
		return nil
	}
	return list.entries
}

// ListKey returns where the list of a subject is kept.
func (l *Lists) ListKey(subject string) string { return l.key(subject) }
