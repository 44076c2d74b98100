package simulate

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// tick advances the time a little, without making a message too old.
func (w *world) tick() error {
	pass := time.Duration(w.rng.IntN(3000)) * time.Millisecond
	if oldest, ok := w.oldest(); ok && time.Since(oldest)+pass > inFlight {
		return w.finish()
	}
	if left := time.Until(w.opened.Add(gracePeriod)); 0 <= left && left <= pass {
		if err := w.finish(); err != nil {
			return err
		}
		pass = time.Until(w.renewed.Add(gracePeriod)) + time.Millisecond
	}
	time.Sleep(pass)
	return nil
}

// oldest returns when the oldest message in transit was sent.
func (w *world) oldest() (oldest time.Time, ok bool) {
	look := func(r *request) {
		if !ok || r.sent.Before(oldest) {
			oldest, ok = r.sent, true
		}
	}
	for _, r := range w.requests {
		look(r)
	}
	for _, p := range w.serving {
		look(p.request)
	}
	for _, a := range w.answers {
		look(a.request)
	}
	return oldest, ok
}

// finish completes everything that is in progress, without delay.
func (w *world) finish() error {
	for !w.quiet() {
		switch {
		case len(w.requests) > 0:
			if err := w.arrive(); err != nil {
				return err
			}
		case len(w.serving) > 0:
			if err := w.serve(); err != nil {
				return err
			}
		default:
			if err := w.answer(); err != nil {
				return err
			}
		}
	}
	return nil
}

// pause advances the time until no grace period is open.
func (w *world) pause() error {
	if err := w.finish(); err != nil {
		return err
	}
	time.Sleep(gracePeriod + time.Duration(1+w.rng.IntN(240_000))*time.Millisecond)
	w.note("a pause")
	return nil
}

// rotateKeys rotates the key ring at a random moment.
func (w *world) rotateKeys() error {
	w.note("the keys rotate")
	w.totals["key rotations"]++
	return w.keys.Rotate()
}

// forget makes the store lose the last write to the family, as in a failover.
func (w *world) forget() error {
	if w.before == nil || w.before[0] != familyFormat {
		return nil
	}
	w.note("the store forgets its last write")
	w.totals["writes forgotten"]++
	if err := w.backend.Delete(ctx, w.family); err != nil {
		return err
	}
	if _, err := w.backend.CompareAndSwap(ctx, w.family, nil, w.before, w.ttl); err != nil {
		return err
	}
	w.before = nil
	return nil
}

// forge refreshes with a token that is valid except for its MAC. The refresh must have
// no effect.
func (w *world) forge() error {
	before, _, err := w.backend.Get(ctx, w.family)
	if err != nil {
		return err
	}
	recorder, err := w.refreshNow(otherMAC(w.jar), newAttempt())
	if err != nil {
		return err
	}
	after, _, err := w.backend.Get(ctx, w.family)
	if err != nil {
		return err
	}
	w.note("a forged token: %d %s", recorder.Code, problemType(recorder))
	w.totals["forged tokens"]++
	if recorder.Code == http.StatusOK || !bytes.Equal(before, after) {
		return errors.New("a forged token had an effect")
	}
	return nil
}

// otherMAC changes the last byte of the MAC in a refresh token, and makes its
// check right.
func otherMAC(token string) string {
	const prefix = "authlatch_refresh_"
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, prefix))
	if err != nil {
		panic(err)
	}
	b = b[:len(b)-4]
	b[len(b)-1] ^= 1
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// leave sends a logout.
func (w *world) leave() error {
	w.note("the browser logs out")
	w.totals["logouts"]++
	w.leftFor = true
	w.requests = append(w.requests, &request{sent: time.Now(), path: "/logout", cookie: w.jar, attempt: newAttempt(), from: &tab{number: 9}})
	return nil
}

// refreshNow refreshes without network faults; the store may still fail.
func (w *world) refreshNow(cookie, attempt string) (*httptest.ResponseRecorder, error) {
	p := w.start(&request{sent: time.Now(), path: "/refresh", cookie: cookie, attempt: attempt})
	w.serving = append(w.serving, p)
	for len(w.answers) == 0 {
		w.step(p)
	}
	recorder := w.answers[0].ResponseRecorder
	w.answers = nil
	return recorder, w.broken
}

// settle ends a schedule: it completes everything in progress and checks the final state.
func (w *world) settle() error {
	if err := w.finish(); err != nil {
		return err
	}
	w.faults = false
	if err := w.pause(); err != nil {
		return err
	}
	switch {
	case w.loggedOut:
		for generation, text := range w.tokens {
			if recorder, err := w.refreshNow(text, newAttempt()); err != nil || recorder.Code != http.StatusUnauthorized {
				return fmt.Errorf("generation %d is still valid after the logout: %d %w", generation, recorder.Code, err)
			}
		}
		return nil
	case w.flavour == theft && w.thief.used:
		return w.settleTheft()
	case w.leftFor:
		return nil // the logout was lost, and may or may not have been applied
	}
	for range 2 {
		recorder, err := w.refreshNow(w.jar, w.attempt(w.tabs[0]))
		if err != nil {
			return err
		}
		if recorder.Code != http.StatusOK {
			return fmt.Errorf("an honest browser cannot refresh: %d %s", recorder.Code, problemType(recorder))
		}
		generation, err := w.learn(recorder)
		if err != nil {
			return err
		}
		w.jar = setCookie(recorder)
		w.tabs[0].generation = max(w.tabs[0].generation, generation)
		w.storage.generation, w.storage.attempt = generation, ""
		if err := w.pause(); err != nil {
			return err
		}
	}
	return nil
}
