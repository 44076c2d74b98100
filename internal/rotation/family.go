// Package rotation holds what one login by token is, without any I/O: its stored
// form, the refresh family, its refresh tokens, and the rules of their rotation. Package
// token uses all of it, and package session shows families in lists of devices.
package rotation

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/clocks"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/record"
)

// Family is all refresh tokens of one login, as it is stored: one record, however
// often it is refreshed. Times are milliseconds since 1970.
//
// Format 0x22, numbers as unsigned varints, texts and byte strings with their
// length before them:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes) | salt (16 bytes)
//	flags (1 byte) | generation
//	created | rotated - created | created - authTime | idle - created
//	expires - created | recovered - created, or 0 | presented - created, or 0
//	requested - created, if flags has hasRequested
//	actor | actorLogin, if flags has hasActor
//	moved.created | moved.used, if flags has hasMoved
//	attempt | keyID | subject | scopes | methods | claims
//	userAgent, address (at login) | userAgent, address (at the last rotation)
//
// The attempt is a digest of the idempotency key of a refresh. Format 0x21 lacks the
// flags and what they announce. A family without these is still written as 0x21, so that
// it takes no more bytes and older versions of the program can read it. Format 0x20 also
// lacks recovered and presented. It is still read, as a family that was never recovered,
// and rewritten as 0x21.
//
// The checksum covers the record and not its key. Without it, a damaged byte could
// turn one subject into another. The record contains no refresh token: a token has a
// MAC with a key that is not in the store. A later format gets the next byte, and these
// stay readable.
type Family struct {
	Salt       [16]byte
	Generation uint64 // of the current refresh token
	Created    int64
	Rotated    int64 // when Generation was made; Created if it is 0
	Recovered  int64 // when a retry with its idempotency key last asked for it; 0 if never
	Presented  int64 // when its token was first presented after that; 0 if never
	AuthTime   int64
	Idle       int64  // when the family ends if it is not refreshed
	Expires    int64  // when the family ends at the latest; never moves
	Requested  int64  // the expiry that the login requested; 0 if none
	Remembered bool   // the limits of a remembered login apply
	Attempt    string // SHA-256 of the idempotency key that made Generation, or empty

	KeyID                    string // of the refresh secret, for the life of the family
	Subject, Scopes, Methods string
	Claims                   string
	Actor                    string // who acts for Subject; empty: the subject itself
	ActorLogin               string // digest of the actor's own login, which this one ends with; or empty
	Login, Last              Device
	Moved                    clocks.Moved
}

// Device is the device as the client states it. It is shown to users, and no decision
// depends on it.
type Device struct{ UserAgent, Address string }

// The first byte of family records.
const (
	firstFormat = 0x20 // without recovered and presented
	plainFormat = 0x21 // without flags
	format      = 0x22
	lastFormat  = 0x2f
)

var formats = record.Formats{Oldest: firstFormat, Current: format, Last: lastFormat}

// The flags of a stored family.
const (
	hasRequested = 1 << iota
	hasActor
	isRemembered
	hasMoved
	allFlags = hasRequested | hasActor | isRemembered | hasMoved
)

func (f *Family) flags() (flags byte) {
	if f.Requested > f.Created {
		flags |= hasRequested
	}
	if f.Actor != "" {
		flags |= hasActor
	}
	if f.Remembered {
		flags |= isRemembered
	}
	if f.Moved.Used > 0 {
		flags |= hasMoved
	}
	return flags
}

// Both errors are faults of the server, and the client keeps its tokens.
var (
	// ErrNewer is the error of a record that a newer version of the program has
	// written.
	ErrNewer = fmt.Errorf("token: a family: %w", logins.ErrNewer)

	// ErrCorrupt is the error of bytes that no version has written.
	ErrCorrupt = errors.New("token: a family is corrupt")
)

// Encode returns the family as it is stored. Each call returns different bytes.
func (f *Family) Encode() []byte {
	flags, space := f.flags(), make([]byte, 0, 256+len(f.Claims))
	var b []byte
	if flags == 0 {
		b = append(record.Append(space, plainFormat), f.Salt[:]...)
	} else {
		b = append(append(record.Append(space, format), f.Salt[:]...), flags)
	}
	b = binary.AppendUvarint(b, f.Generation)
	b = binary.AppendUvarint(b, uint64(f.Created))
	for _, later := range [...]int64{
		f.Rotated - f.Created, f.Created - f.AuthTime, f.Idle - f.Created, f.Expires - f.Created,
		max(f.Recovered-f.Created, 0), max(f.Presented-f.Created, 0),
	} {
		b = binary.AppendUvarint(b, uint64(later))
	}
	if flags&hasRequested != 0 {
		b = binary.AppendUvarint(b, uint64(f.Requested-f.Created))
	}
	if flags&hasActor != 0 {
		b = record.AppendText(record.AppendText(b, f.Actor), f.ActorLogin)
	}
	if flags&hasMoved != 0 {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(f.Moved.Created)), uint64(f.Moved.Used))
	}
	for _, text := range [...]string{
		f.Attempt, f.KeyID, f.Subject, f.Scopes, f.Methods, f.Claims,
		f.Login.UserAgent, f.Login.Address, f.Last.UserAgent, f.Last.Address,
	} {
		b = record.AppendText(b, text)
	}
	return record.Seal(b, nil)
}

// Parse reads a stored family. Its errors are [ErrNewer] and [ErrCorrupt].
func Parse(raw []byte) (*Family, error) {
	switch formats.Check(raw, nil) {
	case record.Newer:
		return nil, ErrNewer
	case record.Corrupt:
		return nil, ErrCorrupt
	}
	in := record.NewReader(string(raw[record.Header:]))
	f := new(Family)
	copy(f.Salt[:], in.Take(len(f.Salt)))
	flags, sound := byte(0), true
	if raw[0] == format {
		if bits := in.Take(1); bits != "" {
			flags = bits[0]
		}
		sound = flags != 0 && flags&^allFlags == 0
	}
	f.Generation = uint64(in.Number())
	f.Created = in.Number()
	f.Rotated = f.Created + in.Number()
	f.AuthTime = f.Created - in.Number()
	f.Idle = f.Created + in.Number()
	f.Expires = f.Created + in.Number()
	if raw[0] != firstFormat {
		for _, at := range [...]*int64{&f.Recovered, &f.Presented} {
			if since := in.Number(); since > 0 {
				*at = f.Created + since
			}
		}
	}
	sound = f.parseOptional(&in, flags) && sound
	for _, text := range [...]*string{
		&f.Attempt, &f.KeyID, &f.Subject, &f.Scopes, &f.Methods, &f.Claims,
		&f.Login.UserAgent, &f.Login.Address, &f.Last.UserAgent, &f.Last.Address,
	} {
		*text = in.Text()
	}
	if !sound || in.Failed() || in.Rest() != "" || f.Subject == "" || len(f.Attempt) != 0 && len(f.Attempt) != sha256.Size {
		return nil, ErrCorrupt
	}
	return f, nil
}

// parseOptional reads the parts that most families do not have, and reports whether they
// are as Encode writes them.
func (f *Family) parseOptional(in *record.Reader, flags byte) bool {
	f.Remembered = flags&isRemembered != 0
	if flags&hasRequested != 0 {
		if f.Requested = f.Created + in.Number(); f.Requested == f.Created {
			return false
		}
	}
	if flags&hasActor != 0 {
		f.Actor, f.ActorLogin = in.Text(), in.Text()
		if f.Actor == "" || f.ActorLogin != "" && len(f.ActorLogin) != len(logins.Digest{}) {
			return false
		}
	}
	if flags&hasMoved != 0 {
		f.Moved = clocks.Moved{Created: in.Number(), Used: in.Number()}
		return f.Moved.Used > 0 && f.Moved.Created <= f.Moved.Used
	}
	return true
}

// Ends returns when the family ends if it is not refreshed again.
func (f *Family) Ends() time.Time { return time.UnixMilli(min(f.Idle, f.Expires)) }

// Describe is the [logins.Describe] of refresh families. It does not check
// whether the refresh secret of the family is retired.
func Describe(d logins.Digest, raw []byte) (login auth.Login, live bool, err error) {
	f, err := Parse(raw)
	if err != nil {
		return auth.Login{}, false, err
	}
	now := time.Now()
	f.Settle(now, 0)
	return f.Describe(d), now.Before(f.Ends()), nil
}

// Describe returns the family as a list of devices shows it.
func (f *Family) Describe(d logins.Digest) auth.Login {
	return auth.Login{
		Kind: auth.LoginToken, Subject: f.Subject, Actor: f.Actor, ID: d.LoginID(),
		AuthTime: time.UnixMilli(f.AuthTime), LastUsed: time.UnixMilli(min(f.Rotated, time.Now().UnixMilli())), Expires: time.UnixMilli(f.Expires),
		UserAgent: f.Login.UserAgent, Address: f.Login.Address,
	}
}
