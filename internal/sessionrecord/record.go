// Package sessionrecord holds the stored form of sessions. Package session reads and
// writes it, and package token shows it in lists of devices.
package sessionrecord

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/clocks"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/record"
)

// Record is a session as it is stored. Times are milliseconds since 1970.
//
// Format 0x11, numbers as unsigned varints, texts with their length before
// them:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes) | flags (1 byte)
//	created | used - created | created - authTime | expires - created
//	requested - created, if flags has hasRequested
//	actor | actorLogin, if flags has hasActor
//	moved.created | moved.used, if flags has hasMoved
//	subject | scopes | methods | userAgent | address | claims | values
//
// The values are the rest, to its end; package session reads them. Format 0x10 has
// neither requested, nor an actor, nor moved times. A record without them is still written as 0x10, so
// that it takes no more bytes and older versions of the program can read it. A later
// format gets the next byte, and these stay readable.
//
// The checksum covers the record and its digest. Without it, a damaged byte, or a
// store that returns the value of another key, could turn one subject
// into another.
type Record struct {
	Flags                            byte
	Created, Used, AuthTime, Expires int64
	Requested                        int64  // the expiry that the login requested; 0 if none
	Actor                            string // who acts for Subject; empty: the subject itself
	ActorLogin                       string // digest of the actor's own login, which this one ends with; or empty
	Moved                            clocks.Moved
	Subject, Scopes, Methods         string
	UserAgent, Address               string
	Claims, Values                   string
}

// The first byte of session records.
const (
	oldFormat  = 0x10
	Format     = 0x11
	LastFormat = 0x1f
)

var formats = record.Formats{Oldest: oldFormat, Current: Format, Last: LastFormat}

// Flags of a record. Others are not written and not accepted.
const (
	Anonymous  = 1 << iota // no subject is logged in
	Pending                // the second factor is awaited
	Remembered             // the longer idle timeout applies
	allFlags   = Anonymous | Pending | Remembered

	// These stand in stored records only: Moved, Requested or Actor is not empty.
	hasMoved     = 1 << 5
	hasRequested = 1 << 6
	hasActor     = 1 << 7
)

var (
	// ErrNewer is the error of a record that a newer version of the program has
	// written. The client is not at fault, and whether it is logged in is unknown.
	ErrNewer = fmt.Errorf("session: %w", logins.ErrNewer)

	// ErrCorrupt is the error of bytes that no version has written.
	ErrCorrupt = errors.New("session: a record is corrupt")
)

// Encode returns the record as it is stored under a digest. Each call returns
// different bytes.
func (r *Record) Encode(d *logins.Digest) []byte {
	texts := [...]string{r.Subject, r.Scopes, r.Methods, r.UserAgent, r.Address, r.Claims}
	size := 64 + len(r.Actor) + len(r.ActorLogin) + len(r.Values)
	for _, text := range texts {
		size += len(text)
	}
	format, flags := byte(oldFormat), r.Flags
	if r.Requested > r.Created {
		format, flags = Format, flags|hasRequested
	}
	if r.Actor != "" {
		format, flags = Format, flags|hasActor
	}
	if r.Moved.Used > 0 {
		format, flags = Format, flags|hasMoved
	}
	b := append(record.Append(make([]byte, 0, size), format), flags)
	b = binary.AppendUvarint(b, uint64(r.Created))
	b = binary.AppendUvarint(b, uint64(r.Used-r.Created))
	b = binary.AppendUvarint(b, uint64(r.Created-r.AuthTime))
	b = binary.AppendUvarint(b, uint64(r.Expires-r.Created))
	if flags&hasRequested != 0 {
		b = binary.AppendUvarint(b, uint64(r.Requested-r.Created))
	}
	if flags&hasActor != 0 {
		b = record.AppendText(record.AppendText(b, r.Actor), r.ActorLogin)
	}
	if flags&hasMoved != 0 {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(r.Moved.Created)), uint64(r.Moved.Used))
	}
	for _, text := range texts {
		b = record.AppendText(b, text)
	}
	return record.Seal(append(b, r.Values...), d[:])
}

// Decode reads a record into r, and returns a copy of it. All texts are parts of that
// string, so that a request costs one allocation for them and holds no memory of the store.
// The digest is a pointer so that it costs none. Claims and values are not parsed.
func (r *Record) Decode(d *logins.Digest, raw []byte) (text string, err error) {
	switch state := formats.Check(raw, d[:]); {
	case state == record.Newer:
		return "", ErrNewer
	case state != record.Intact, len(raw) == record.Header:
		return "", ErrCorrupt
	}
	flags, optional := raw[record.Header], byte(0)
	if raw[0] != oldFormat {
		optional = hasRequested | hasActor | hasMoved
	}
	if flags&^(allFlags|optional) != 0 {
		return "", ErrCorrupt
	}
	text = string(raw)
	in := record.NewReader(text[record.Header+1:])
	r.Flags = flags & allFlags
	r.Created = in.Number()
	r.Used = r.Created + in.Number()
	r.AuthTime = r.Created - in.Number()
	r.Expires = r.Created + in.Number()
	sound := r.decodeOptional(&in, flags)
	r.Subject, r.Scopes, r.Methods = in.Text(), in.Text(), in.Text()
	r.UserAgent, r.Address = in.Text(), in.Text()
	r.Claims = in.Text()
	if !sound || in.Failed() || r.Subject == "" && r.Flags&Anonymous == 0 {
		return "", ErrCorrupt
	}
	r.Values = in.Rest()
	return text, nil
}

// decodeOptional reads the parts that most records do not have, and reports whether
// they are as Encode writes them.
func (r *Record) decodeOptional(in *record.Reader, flags byte) bool {
	r.Requested, r.Actor, r.ActorLogin, r.Moved = 0, "", "", clocks.Moved{}
	if flags&hasRequested != 0 {
		if r.Requested = r.Created + in.Number(); r.Requested == r.Created {
			return false
		}
	}
	if flags&hasActor != 0 {
		r.Actor, r.ActorLogin = in.Text(), in.Text()
		if r.Actor == "" || r.ActorLogin != "" && len(r.ActorLogin) != len(logins.Digest{}) {
			return false
		}
	}
	if flags&hasMoved != 0 {
		r.Moved = clocks.Moved{Created: in.Number(), Used: in.Number()}
		return r.Moved.Used > 0 && r.Moved.Created <= r.Moved.Used
	}
	return true
}

// Describe is the [logins.Describe] of sessions. The record does not contain
// the idle timeout, so Describe shows the session until it expires.
func Describe(d logins.Digest, raw []byte) (login auth.Login, live bool, err error) {
	var r Record
	if _, err := r.Decode(&d, raw); err != nil {
		return auth.Login{}, false, err
	}
	now := time.Now().UnixMilli()
	r.Settle(now, 0)
	return r.Login(d.LoginID()), now < r.Expires, nil
}

// Login returns the session as a list of devices shows it.
func (r *Record) Login(loginID string) auth.Login {
	return auth.Login{
		Kind: auth.LoginSession, Subject: r.Subject, Actor: r.Actor, ID: loginID,
		AuthTime: time.UnixMilli(r.AuthTime), LastUsed: time.UnixMilli(r.Used), Expires: time.UnixMilli(r.Expires),
		UserAgent: r.UserAgent, Address: r.Address,
		Pending: r.Flags&Pending != 0,
	}
}
