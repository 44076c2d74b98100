package token

import (
	"time"

	"github.com/authlatch/auth/internal/rotation"
)

// NewRemoteKeySetVia lets tests answer in the place of the network.
var NewRemoteKeySetVia = newRemoteKeySet

// FamilyKey is where a family is stored.
func FamilyKey(namespace, famID string) string { return rotation.Digest(namespace, famID).Key() }

// FamilyLoginID is the name of a family's login.
func FamilyLoginID(namespace, famID string) string {
	return rotation.Digest(namespace, famID).LoginID()
}

// FamilyRecord is a stored family that goes on until a time.
func FamilyRecord(ends time.Time) []byte {
	now := time.Now().UnixMilli()
	f := &rotation.Family{Created: now, Rotated: now, AuthTime: now, Idle: ends.UnixMilli(), Expires: ends.UnixMilli(), Subject: "alice"}
	return f.Encode()
}

// SeeLive records that the login of a token was found live at a time.
func SeeLive(t *Token, at time.Time) { t.liveAt.Store(at.UnixNano()) }
