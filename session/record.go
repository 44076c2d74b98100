package session

import "github.com/authlatch/auth/internal/sessionrecord"

// Flags of a record.
const (
	flagAnonymous  = sessionrecord.Anonymous
	flagPending    = sessionrecord.Pending
	flagRemembered = sessionrecord.Remembered
)

// encode returns the session as it is stored. Each call returns other bytes.
func (s *Session) encode() []byte { return s.record.Encode(&s.digest) }

// decode reads what is stored into s, whose digest is set.
func (s *Session) decode(raw []byte) (err error) {
	s.raw, err = s.record.Decode(&s.digest, raw)
	return err
}
