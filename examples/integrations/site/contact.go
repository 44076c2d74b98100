package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

// maxText is the maximum length of a message in bytes: 2000 characters of the form.
const maxText = 6000

// draft is a message that could not be sent because its author's session had ended.
const draft = session.Key[unsent]("draft")

// unsent is shown only to its author, since another user of the browser may log in next.
type unsent struct{ Author, Text string }

// contact stores a message to the staff.
func (s *site) contact(w http.ResponseWriter, r *http.Request) error {
	id, _ := auth.FromContext(r.Context())
	text, err := textOf(r)
	if err != nil {
		return err
	}
	if err := s.messages.add(r.Context(), id.Subject, text); err != nil {
		return err
	}
	if err := s.updateVisit(w, r, draft.Delete); err != nil {
		s.log.Warn("a message is sent and its draft is not deleted", "error", err)
	}
	return s.flash(w, r, "/contact", "Thank you. Your message is sent.")
}

// keepText is the Deny of the guard in front of contact. If the session of the author has
// ended, the text is kept in an anonymous session, which the login takes over, and the
// form then shows it. Nothing is sent before the author does so: with the old session went
// the proof that the form is of this site. The size is bounded, Ensure refuses forms of
// other sites, and no text passes through an address or another page. The form names the
// account that it was shown to: without the ID of one, which is not public, nothing is
// kept, so strangers cannot fill the store.
func (s *site) keepText(w http.ResponseWriter, r *http.Request, err error) {
	if r.Method != http.MethodPost || !errors.Is(err, auth.ErrNoCredential) {
		s.deny(w, r, err)
		return
	}
	author, err := s.accounts.byID(r.Context(), r.PostFormValue("author"))
	if err == nil && author.ID == "" {
		s.deny(w, r, auth.ErrNoCredential)
		return
	}
	var text string
	if err == nil {
		text, err = textOf(r)
	}
	if err == nil {
		err = s.updateVisit(w, r, func(visit *session.Session) error {
			return draft.Set(visit, unsent{author.ID, text})
		})
	}
	if err == nil {
		err = s.flash(w, r, "/login?next=/contact", "Your session has ended. Your text is kept: log in to send it.")
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// draftOf returns the text that was kept for a user, or "".
func draftOf(id auth.Identity) (string, error) {
	visit, ok := id.Credential.(*session.Session)
	if !ok {
		return "", nil
	}
	kept, err := draft.Get(visit)
	if err != nil || kept.Author != id.Subject {
		return "", err
	}
	return kept.Text, nil
}

func textOf(r *http.Request) (string, error) {
	text := strings.TrimSpace(r.PostFormValue("text"))
	if text == "" || len(text) > maxText || !isText(text) {
		return "", errText
	}
	return text, nil
}

// messages is the table of messages.
type messages struct{ db *sql.DB }

// message is a row, for the page of the staff.
type message struct {
	From, Text string
	Time       time.Time
}

func (m messages) add(ctx context.Context, author, text string) error {
	_, err := m.db.ExecContext(ctx, `INSERT INTO messages (id, author, body, created) VALUES ($1, $2, $3, $4)`,
		rand.Text(), author, text, time.Now().Unix())
	return err
}

// latest returns the latest messages, the newest first.
func (m messages) latest(ctx context.Context) (list []message, err error) {
	rows, err := m.db.QueryContext(ctx, `SELECT accounts.mail, messages.body, messages.created FROM messages
		JOIN accounts ON accounts.id = messages.author ORDER BY messages.created DESC LIMIT 50`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one message
		var created int64
		if err := rows.Scan(&one.From, &one.Text, &created); err != nil {
			return nil, err
		}
		one.Time = time.Unix(created, 0).UTC()
		list = append(list, one)
	}
	return list, rows.Err()
}
