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

// tick lets a little time pass, but no message gets too old by it.
func (w *world) tick() error {
	pass := time.Duration(w.rng.IntN(3000)) * time.Millisecond
	if oldest, ok := w.oldest(); ok && time.Since(oldest)+pass > inFlight {
		return w.finish()
	}
	if left := time.Until(w.opened.Add(window)); 0 <= left && left <= pass {
		if err := w.finish(); err != nil {
			return err
		}
		pass = time.Until(w.renewed.Add(window)) + time.Millisecond
	}
	time.Sleep(pass)
	return nil
}

// oldest returns when the oldest message that is under way was sent.
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

// finish lets everything that is under way come to its end, now.
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

// pause lets so much time pass that no window stays open.
func (w *world) pause() error {
	if err := w.finish(); err != nil {
		return err
	}
	time.Sleep(window + time.Duration(1+w.rng.IntN(240_000))*time.Millisecond)
	w.note("a pause")
	return nil
}

// rotateKeys changes the key ring in the middle of everything.
func (w *world) rotateKeys() error {
	w.note("the keys rotate")
	w.totals["key rotations"]++
	return w.keys.Rotate()
}

// forget lets the store lose the last write to the family, as a failover does.
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

// steal copies the cookie.
func (w *world) steal() error {
	w.note("the cookie is copied")
	w.stolen = w.jar
	return nil
}

// forge lets somebody refresh with a token that is ours but for its MAC. That
// changes nothing.
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
		return errors.New("a forged token does something")
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

// useStolen lets the thief refresh while no window is open, and keep what it
// gets.
func (w *world) useStolen() error {
	if err := w.pause(); err != nil {
		return err
	}
	w.used = true
	recorder, err := w.refreshNow(w.stolen, newAttempt())
	if err != nil {
		return err
	}
	w.note("the thief refreshes: %d %s", recorder.Code, problemType(recorder))
	w.totals[fmt.Sprintf("the thief refreshes: %d", recorder.Code)]++
	if recorder.Code == http.StatusOK {
		w.stolen = setCookie(recorder)
	}
	return nil
}

// leave sends a log-out.
func (w *world) leave() error {
	w.note("the browser logs out")
	w.totals["log-outs"]++
	w.leftFor = true
	w.requests = append(w.requests, &request{sent: time.Now(), path: "/logout", cookie: w.jar, attempt: newAttempt(), from: &tab{number: 9}})
	return nil
}

// refreshNow is a refresh that nothing happens to but what the store does.
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

// settle ends a schedule: what has been going on comes to its end, and then
// everything is as it must be.
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
				return fmt.Errorf("generation %d lives after the log-out: %d %w", generation, recorder.Code, err)
			}
		}
		return nil
	case w.flavour == theft && w.used:
		return w.settleTheft()
	case w.leftFor:
		return nil // the log-out was lost, and may have happened or not
	}
	for range 2 {
		recorder, err := w.refreshNow(w.jar, w.attempt(w.tabs[0]))
		if err != nil {
			return err
		}
		if recorder.Code != http.StatusOK {
			return fmt.Errorf("an honest browser cannot go on: %d %s", recorder.Code, problemType(recorder))
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

// settleTheft lets the owner and the thief both go on. At the latest when each
// has refreshed after the other, the log-in is over for both.
func (w *world) settleTheft() error {
	for range 2 {
		if recorder, err := w.refreshNow(w.jar, w.attempt(w.tabs[0])); err != nil {
			return err
		} else if recorder.Code == http.StatusOK {
			w.jar = setCookie(recorder)
			w.storage.attempt = ""
		}
		if err := w.useStolen(); err != nil {
			return err
		}
		if err := w.pause(); err != nil {
			return err
		}
	}
	for _, text := range []string{w.jar, w.stolen} {
		recorder, err := w.refreshNow(text, newAttempt())
		if err != nil {
			return err
		}
		if recorder.Code != http.StatusUnauthorized {
			return fmt.Errorf("both the owner and a thief go on: %d", recorder.Code)
		}
	}
	if w.killed == 0 && w.totals["store calls that failed after they had been done"] == 0 {
		return errors.New("a theft was not reported")
	}
	return nil
}
