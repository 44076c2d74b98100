package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/strictjson"
)

// keyFile is the form of a key file: a private JWK Set (RFC 7517, 5) and the
// refresh secrets. Beside the members of RFC 7518 each key has its state (next,
// current, former, retired) and the time in seconds at which it entered that state. Without a
// state the first key of a list is current and the others are former. Former
// keys have no private half.
type keyFile struct {
	Signing struct {
		Keys []json.RawMessage `json:"keys"`
	} `json:"signing"`
	Refresh []refreshEntry `json:"refresh"`
}

type lifeEntry struct {
	State keyState `json:"state,omitempty"`
	Since int64    `json:"since,omitempty"`
}

type signingEntry struct {
	jose.PrivateJWK
	lifeEntry
}

type refreshEntry struct {
	KeyID  string `json:"kid"`
	Secret string `json:"secret,omitempty"`
	lifeEntry
}

// follow copies from the old keys what the file cannot hold.
func (k *Keys) follow(old *Keys) error {
	switch {
	case old == nil:
	case !k.external:
		k.signing = keepKeys(k.signing, old.signing)
	case !old.external:
		return errors.New("token: key file: it no longer has signing keys")
	default:
		k.signing = old.signing
	}
	return nil
}

// errForm replaces the errors of encoding/json, which may quote the text.
var errForm = errors.New("it does not have the form of a key file")

// Parse reads a key file. What it cannot hold, signers and verified tokens, is
// copied from old, which may be nil.
func Parse(text []byte, old *Keys) (*Keys, error) {
	k, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("token: key file: %w", err)
	}
	if err := k.follow(old); err != nil {
		return nil, err
	}
	return k, k.settle()
}

func parse(text []byte) (*Keys, error) {
	if strictjson.CheckObject(text) != nil {
		return nil, errForm
	}
	var file keyFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&file) != nil {
		return nil, errForm
	}
	k := &Keys{external: len(file.Signing.Keys) == 0}
	for i, text := range file.Signing.Keys {
		entry, err := parseSigning(text, i)
		if err != nil {
			return nil, fmt.Errorf("signing key %d: %w", i+1, err)
		}
		k.signing = append(k.signing, entry)
	}
	k.signing = forgetSigners(k.signing)
	for i, entry := range file.Refresh {
		secret, err := base64.RawURLEncoding.Strict().DecodeString(entry.Secret)
		if err != nil {
			return nil, fmt.Errorf("refresh secret %d is not base64url", i+1)
		}
		state, since := entry.life(i)
		k.refresh = append(k.refresh, keyEntry[Secret]{Secret{entry.KeyID, secret}, state, since})
	}
	return k, nil
}

// parseSigning reads a key with its private half, or a former one without.
func parseSigning(text []byte, position int) (entry keyEntry[signingKey], err error) {
	var life lifeEntry
	if json.Unmarshal(text, &life) != nil {
		return entry, errForm
	}
	entry.state, entry.since = life.life(position)
	if entry.state == stateRetired {
		return entry, errors.New("a signing key cannot be retired")
	}
	if entry.state == stateFormer {
		if public, err := jose.ParsePublicJWK(text); err == nil {
			entry.key = signingKey{nil, public}
			return entry, nil
		}
	}
	signer, err := jose.ParsePrivateJWK(text, AccessType)
	if err != nil {
		return entry, err
	}
	entry.key = signingKey{signer, signer.Verification()}
	return entry, nil
}

// life returns the state of the key at a position of its list, and its time.
func (l lifeEntry) life(position int) (keyState, time.Time) {
	since := time.Unix(l.Since, 0)
	switch {
	case l.State != "":
		return l.State, since
	case position == 0:
		return stateCurrent, since
	}
	return stateFormer, since
}

// Encode returns the text of a key file.
func (k *Keys) Encode() ([]byte, error) {
	var file struct {
		Signing struct {
			Keys []signingEntry `json:"keys"`
		} `json:"signing"`
		Refresh []refreshEntry `json:"refresh"`
	}
	file.Signing.Keys = []signingEntry{}
	if !k.external {
		for _, entry := range k.signing.inOrder() {
			jwk, err := entry.key.jwk()
			if err != nil {
				return nil, err
			}
			file.Signing.Keys = append(file.Signing.Keys, signingEntry{jwk, entry.lifeEntry()})
		}
	}
	for _, entry := range k.refresh.inOrder() {
		secret := base64.RawURLEncoding.EncodeToString(entry.key.Bytes)
		file.Refresh = append(file.Refresh, refreshEntry{entry.key.ID, secret, entry.lifeEntry()})
	}
	text, err := json.MarshalIndent(file, "", "\t")
	return append(text, '\n'), err
}

func (e keyEntry[K]) lifeEntry() lifeEntry { return lifeEntry{e.state, e.since.Unix()} }

// jwk returns the whole key or, without a signer, its public half.
func (k signingKey) jwk() (jose.PrivateJWK, error) {
	if k.signer == nil {
		public, ok := k.verification.PublicJWK()
		if !ok {
			return jose.PrivateJWK{}, errors.New("a signing key cannot be kept")
		}
		return jose.PrivateJWK{PublicJWK: public}, nil
	}
	jwk, ok := k.signer.PrivateJWK()
	if !ok {
		return jose.PrivateJWK{}, errors.New("the private half of a signing key is not in memory")
	}
	return jwk, nil
}
