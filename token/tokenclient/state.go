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

// clientState is what a Transport knows and keeps in its file.
type clientState struct {
	Login        string    `json:"login,omitempty"`    // a name that SetTokens makes up
	LoginID      string    `json:"login_id,omitempty"` // as the issuer says it, if it does
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	Generation   uint64    `json:"gen"`
	Expires      time.Time `json:"expires"`       // of the access token, by our clock
	RefreshAfter time.Time `json:"refresh_after"` // likewise

	// Attempt is that of a refresh that has no answer yet. It is kept before the
	// refresh is sent: with it a lost answer can be got again, however late.
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

// overtaken takes over what stands in the file, and reports whether another
// process has put it there since known did: newer tokens, those of another
// login, or none, after a logout.
func (t *Transport) overtaken(known string) bool {
	kept, err := t.load()
	if err != nil {
		return false
	}
	t.set(kept)
	return kept.RefreshToken != known
}

// load reads the file, if there is one.
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
		return clientState{}, fmt.Errorf("tokenclient: the tokens in the file: %w", err)
	}
	return state, nil
}

// keep replaces the tokens, first those in the file, if there is one.
func (t *Transport) keep(state clientState) error {
	if t.config.File != "" {
		text, err := json.Marshal(state)
		if err == nil {
			err = private.ReplaceFile(t.config.File, text)
		}
		if err != nil {
			return fmt.Errorf("tokenclient: keep the tokens in the file: %w", err)
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
		return fmt.Errorf("tokenclient: forget the tokens in the file: %w", err)
	}
	return nil
}
