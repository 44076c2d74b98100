package tokenclient

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/authlatch/auth/internal/private"
)

// clientState is the state of a Transport, which it keeps in its file.
type clientState struct {
	Login        string    `json:"login,omitempty"`    // a random name that SetTokens generates
	LoginID      string    `json:"login_id,omitempty"` // of the issuer's response; may be empty
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	Generation   uint64    `json:"gen"`
	Expires      time.Time `json:"expires"`       // of the access token, by our clock
	RefreshAfter time.Time `json:"refresh_after"` // likewise

	// Attempt is the idempotency key of a refresh that has no response yet. It is
	// stored before the refresh is sent, so that a refresh whose response was lost can
	// be repeated at any later time.
	Attempt string `json:"attempt,omitempty"`
}

func newClientState(tokens Tokens, received time.Time) clientState {
	return clientState{
		LoginID:     tokens.LoginID,
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, Generation: tokens.Generation,
		Expires:      received.Add(time.Duration(tokens.ExpiresIn) * time.Second),
		RefreshAfter: received.Add(time.Duration(tokens.RefreshAfter) * time.Second),
	}
}

// ended returns why a request of a login must not be sent, or nil.
func (s clientState) ended(login string) error {
	switch {
	case s.RefreshToken == "":
		return ErrLoginEnded
	case s.Login != login:
		return ErrLoginReplaced
	}
	return nil
}

// random returns 128 bits as text.
func random() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (t *Transport) set(state clientState) { t.state = func() clientState { return state } }

// overtaken reads the state from the file, and reports whether another process has
// replaced the known refresh token: by newer tokens, by those of another login, or by
// none, after a logout.
func (t *Transport) overtaken(known string) bool {
	kept, err := t.load()
	if err != nil {
		return false
	}
	t.set(kept)
	return kept.RefreshToken != known
}

// load returns the state in the file. Without a file it returns the current state.
func (t *Transport) load() (state clientState, err error) {
	if t.config.File == "" {
		return t.state(), nil
	}
	text, err := private.ReadFile(t.config.File)
	if errors.Is(err, fs.ErrNotExist) {
		return clientState{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		return clientState{}, fmt.Errorf("tokenclient: read the tokens in Config.File: %w", err)
	}
	return state, nil
}

// keep replaces the tokens, first in the file, if there is one, and then in memory.
func (t *Transport) keep(state clientState) error {
	if t.config.File != "" {
		text, err := json.Marshal(state)
		if err == nil {
			err = private.ReplaceFile(t.config.File, text)
		}
		if err != nil {
			return fmt.Errorf("tokenclient: write the tokens to Config.File: %w", err)
		}
	}
	t.set(state)
	return nil
}

// forget removes the tokens, and the file, if there is one.
func (t *Transport) forget() error {
	t.set(clientState{})
	if t.config.File == "" {
		return nil
	}
	if err := os.Remove(t.config.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("tokenclient: remove the tokens in Config.File: %w", err)
	}
	return nil
}
