package logins

import "context"

// Walk calls each with every entry of a list, those that are ending included.
func (l *Lists) Walk(subject string, each func(Entry)) {
	list, err := l.read(context.Background(), subject)
	if err != nil {
		return
	}
	for _, e := range list.entries {
		each(e)
	}
}
