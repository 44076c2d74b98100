package simulate

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// thief has copied the cookie, and perhaps the whole request that was about to
// send it. It acts whenever it likes, in windows that the owner has opened, too.
type thief struct {
	token   string // the newest one that it has
	parent  string // the one before it,
	attempt string // and the attempt that made one of the other, if it knows it
	used    bool   // it has tried
}

// steal copies the cookie, and sometimes the idempotency key of its refresh.
func (w *world) steal() error {
	w.thief.token = w.jar
	if w.storage.attempt != "" && w.rng.IntN(2) == 0 {
		w.thief.parent, w.thief.attempt = w.jar, w.storage.attempt
	}
	w.note("the cookie is copied (with its attempt: %v)", w.thief.attempt != "")
	return nil
}

// useStolen makes the thief send a refresh, concurrently with other messages.
func (w *world) useStolen() error {
	r := &request{sent: time.Now(), thief: true, path: "/refresh", cookie: w.thief.token, attempt: newAttempt()}
	trick := "refreshes"
	switch pick := w.rng.IntN(4); {
	case pick == 0 && w.thief.attempt != "":
		trick = "repeats its request"
		r.cookie, r.attempt = w.thief.parent, w.thief.attempt
	case pick == 1 && w.thief.attempt != "":
		trick = "repeats its attempt"
		r.attempt = w.thief.attempt
	}
	w.thief.used = true
	w.note("the thief %s", trick)
	w.totals["the thief "+trick]++
	w.requests = append(w.requests, r)
	return nil
}

// thieve handles a response to the thief.
func (w *world) thieve(a answer) error {
	w.totals[fmt.Sprintf("the thief is answered %d", a.Code)]++
	if text := setCookie(a.ResponseRecorder); a.Code == http.StatusOK && text != w.thief.token {
		w.thief.token, w.thief.parent, w.thief.attempt = text, a.cookie, a.attempt
	}
	return nil
}

// settleTheft makes the owner and the thief both continue, the thief with its best trick:
// it repeats the request that returned its token, which is safe for it until another
// client refreshes. At the latest when each has refreshed after the other, the login has
// been revoked for both.
func (w *world) settleTheft() error {
	repeats := w.rng.IntN(2) == 0
	for range 3 {
		if repeats && w.thief.attempt != "" {
			if err := w.thiefSends(w.thief.parent, w.thief.attempt); err != nil {
				return err
			}
		}
		if recorder, err := w.refreshNow(w.jar, w.attempt(w.tabs[0])); err != nil {
			return err
		} else if recorder.Code == http.StatusOK {
			w.jar = setCookie(recorder)
			w.storage.attempt = ""
		}
		time.Sleep(gracePeriod + time.Millisecond)
		if repeats && w.thief.attempt != "" {
			if err := w.thiefSends(w.thief.parent, w.thief.attempt); err != nil {
				return err
			}
			continue
		}
		if err := w.thiefSends(w.thief.token, newAttempt()); err != nil {
			return err
		}
		time.Sleep(gracePeriod + time.Millisecond)
	}
	for _, text := range []string{w.jar, w.thief.token} {
		recorder, err := w.refreshNow(text, newAttempt())
		if err != nil {
			return err
		}
		if recorder.Code != http.StatusUnauthorized {
			return fmt.Errorf("both the owner and a thief can still refresh: %d", recorder.Code)
		}
	}
	if w.killed == 0 && w.totals["store calls that failed after they had been done"] == 0 {
		return errors.New("a theft was not reported")
	}
	return nil
}

func (w *world) thiefSends(cookie, attempt string) error {
	recorder, err := w.refreshNow(cookie, attempt)
	if err != nil {
		return err
	}
	w.note("the thief sends: %d %s", recorder.Code, problemType(recorder))
	if text := setCookie(recorder); recorder.Code == http.StatusOK && text != w.thief.token {
		w.thief.token, w.thief.parent, w.thief.attempt = text, cookie, attempt
	}
	return nil
}
