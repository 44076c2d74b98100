package logins

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/authlatch/auth/internal/record"
)

// list is the decoded list of a subject.
//
// Format 0x02, numbers as unsigned varints:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes)
//	for each entry: digest (32 bytes) | expires | expires - used | bits (1 byte)
//
// expires is minutes since 1970, and expires - used is in tens of seconds. The bits
// are the kind and, shifted by four, why the login is being ended. An entry without a
// kind is not a login: its expires is the time lost. The checksum covers the list and its key:
// an entry with a damaged byte would otherwise be a login that LogoutAll cannot
// find. Format 0x01, which stays readable, has no checksum, no used, and expires in
// seconds.
type list struct {
	raw     []byte // as it was read, nil if it was missing
	entries []Entry
	lost    time.Time // until then, logins may be alive that a corrupt list has lost
	corrupt bool      // raw is damaged; entries is what could be read of it
}

var listFormats = record.Formats{Oldest: listFormat, Current: listFormat, Last: lastListFormat}

const (
	oldListHeader = 1 + 8 // format, writeID

	// maxLifetime is how long a login can last: browsers keep cookies no longer.
	maxLifetime = 400 * 24 * time.Hour
)

// parseList reads a stored list. A newer format is an error, because a newer version
// of the program needs the list; bytes that no version wrote are a corrupt list.
func parseList(key string, raw []byte) (*list, error) {
	l := &list{raw: raw, corrupt: true}
	state := listFormats.Check(raw, []byte(key))
	if state == record.Newer {
		return nil, errors.New("logins: a list is of a newer version")
	}
	if len(raw) == 0 || raw[0] != listFormat && raw[0] != oldListFormat {
		return l, nil
	}
	header := record.Header
	if raw[0] == oldListFormat {
		header, state = oldListHeader, record.Intact // it has no checksum
	}
	in := record.NewReader(string(raw))
	in.Take(header)
	for in.Rest() != "" {
		switch e := readEntry(&in, raw[0]); {
		case in.Failed():
		case e.Kind == 0:
			l.lost = e.Expires
		default:
			l.entries = append(l.entries, e)
		}
	}
	l.corrupt = in.Failed() || state != record.Intact
	return l, nil
}

func (l *list) encode(key string) []byte {
	const entrySize = 32 + 4 + 3 + 1
	b := record.Append(make([]byte, 0, record.Header+(len(l.entries)+1)*entrySize), listFormat)
	for _, e := range l.entries {
		b = e.append(b)
	}
	if !l.lost.IsZero() {
		b = Entry{Expires: l.lost, Used: l.lost}.append(b)
	}
	return record.Seal(b, []byte(key))
}

func (e Entry) append(b []byte) []byte {
	b = append(b, e.Digest[:]...)
	minutes := (max(e.Expires.Add(time.Second-1).Unix(), 0) + 59) / 60
	unused := max(minutes*60-max(e.Used.Unix(), 0), 0)
	b = binary.AppendUvarint(b, uint64(minutes))
	b = binary.AppendUvarint(b, uint64(unused/usedUnit))
	return append(b, byte(e.Kind)|byte(e.Ending)<<4)
}

// usedUnit is the precision of the last use of a login in a list, in seconds. With
// it, the list of one login takes no more memory than with format 0x01.
const usedUnit = 10

// readEntry reads one entry of a list.
func readEntry(in *record.Reader, format byte) (e Entry) {
	copy(e.Digest[:], in.Take(len(e.Digest)))
	expires, used := in.Number(), int64(0)
	if format != oldListFormat {
		expires *= 60
		used = expires - in.Number()*usedUnit
	}
	if bits := in.Take(1); bits != "" {
		e.Kind, e.Ending = Kind(bits[0]&0x07), Reason(bits[0]>>4)
	}
	e.Expires, e.Used = time.Unix(expires, 0), time.Unix(used, 0)
	return e
}

// repair prepares a corrupt list for being written. The entries that could be read
// stay. The lost logins may be alive until the given time.
func (l *list) repair(now, until time.Time) {
	l.remove(func(e Entry) bool { return e.Expires.After(now.Add(maxLifetime)) })
	if until.After(l.lost) || l.lost.After(now.Add(maxLifetime)) {
		l.lost = until
	}
}

// expire removes the entries of logins that have ended by their own time.
func (l *list) expire(now time.Time) {
	l.remove(func(e Entry) bool { return now.After(e.Expires.Add(margin)) })
	if now.After(l.lost) {
		l.lost = time.Time{}
	}
}

// ttl returns how long the store keeps the list: until its last entry has expired.
func (l *list) ttl(now time.Time) time.Duration {
	longest := now
	for _, e := range l.entries {
		if e.Expires.After(longest) {
			longest = e.Expires
		}
	}
	if l.lost.After(longest) {
		longest = l.lost
	}
	return min(longest.Sub(now), maxLifetime) + 2*margin
}

func (l *list) find(d Digest) int {
	for i := range l.entries {
		if l.entries[i].Digest == d {
			return i
		}
	}
	return -1
}

// remove removes the entries for which leave returns true.
func (l *list) remove(leave func(Entry) bool) (changed bool) {
	kept := l.entries[:0]
	for _, e := range l.entries {
		if leave(e) {
			changed = true
			continue
		}
		kept = append(kept, e)
	}
	l.entries = kept
	return changed
}
