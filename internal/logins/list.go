package logins

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/authlatch/auth/internal/stored"
)

// list is the decoded list of a subject.
//
// Format 0x02, numbers as unsigned varints:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes)
//	for each entry: digest (32 bytes) | expires | expires - used | bits (1 byte)
//
// expires is minutes since 1970, and expires - used is in tens of seconds. The bits
// are the kind and, shifted by four, why the login is being ended. An entry of no
// kind is not a login: its expires is the time lost. The checksum covers the list and its key:
// an entry with a damaged byte would otherwise be a login that LogoutAll cannot
// find. Format 0x01, which stays readable, has no checksum, no used, and expires in
// seconds.
type list struct {
	raw     []byte // as it was read, nil if there was none
	entries []Entry
	lost    time.Time // until then, logins may be alive that a corrupt list has lost
	corrupt bool      // raw is damaged; entries is what could be read of it
}

const (
	listHeader = 1 + 8 // format, writeID
	listCheck  = 4

	// maxLifetime is how long a login can last: browsers keep cookies no longer.
	maxLifetime = 400 * 24 * time.Hour
)

// parseList reads a stored list. A newer format is an error, because a newer version
// of the program needs the list; bytes that no version wrote are a corrupt list.
func parseList(key string, raw []byte) (*list, error) {
	l := &list{raw: raw, corrupt: true}
	if len(raw) == 0 || raw[0] < oldListFormat || raw[0] > lastListFormat {
		return l, nil
	}
	if raw[0] > listFormat {
		return nil, errors.New("logins: a list is of a newer version")
	}
	r := reader{rest: raw}
	r.take(listHeader)
	intact := true
	if raw[0] == listFormat {
		sum := r.take(listCheck)
		intact = sum != nil && binary.BigEndian.Uint32(sum) == checksum(key, raw)
	}
	for len(r.rest) > 0 && !r.failed {
		switch e := r.entry(raw[0]); {
		case r.failed:
		case e.Kind == 0:
			l.lost = e.Expires
		default:
			l.entries = append(l.entries, e)
		}
	}
	l.corrupt = r.failed || !intact
	return l, nil
}

func (l *list) encode(key string) []byte {
	const entrySize = 32 + 4 + 3 + 1
	b := make([]byte, 0, listHeader+listCheck+(len(l.entries)+1)*entrySize)
	b = stored.AppendWriteID(append(b, listFormat))
	b = append(b, 0, 0, 0, 0)
	for _, e := range l.entries {
		b = e.append(b)
	}
	if !l.lost.IsZero() {
		b = Entry{Expires: l.lost, Used: l.lost}.append(b)
	}
	binary.BigEndian.PutUint32(b[listHeader:], checksum(key, b))
	return b
}

func (e Entry) append(b []byte) []byte {
	b = append(b, e.Digest[:]...)
	minutes := (max(e.Expires.Add(time.Second-1).Unix(), 0) + 59) / 60
	unused := max(minutes*60-max(e.Used.Unix(), 0), 0)
	b = binary.AppendUvarint(b, uint64(minutes))
	b = binary.AppendUvarint(b, uint64(unused/usedUnit))
	return append(b, byte(e.Kind)|byte(e.Ending)<<4)
}

// usedUnit is how precisely a list knows the last use of a login, in seconds. With
// it, the list of one login takes no more memory than with format 0x01.
const usedUnit = 10

// checksum returns the checksum of a list of format 0x02 that is stored under key.
func checksum(key string, raw []byte) uint32 {
	sum := crc32.Update(crc32.ChecksumIEEE([]byte(key)), crc32.IEEETable, raw[:listHeader])
	return crc32.Update(sum, crc32.IEEETable, raw[listHeader+listCheck:])
}

// entry reads one entry of a list.
func (r *reader) entry(format byte) (e Entry) {
	copy(e.Digest[:], r.take(len(e.Digest)))
	expires, used := r.number(), int64(0)
	if format != oldListFormat {
		expires *= 60
		used = expires - r.number()*usedUnit
	}
	if bits := r.take(1); bits != nil {
		e.Kind, e.Ending = Kind(bits[0]&0x07), Reason(bits[0]>>4)
	}
	e.Expires, e.Used = time.Unix(expires, 0), time.Unix(used, 0)
	return e
}

// repair makes a corrupt list one that can be written. What could be read of it
// stays. The lost logins may be alive until the given time.
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

// ttl returns how long the store keeps the list: until the last entry has expired.
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

// remove removes the entries that leave returns true for.
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

// reader reads parts of a stored value. After a failure it returns zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || len(r.rest) < n {
		r.failed = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() int64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > 1<<52 { // nothing that is made of them is near to an overflow
		r.failed = true
	}
	if r.failed {
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}
