package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// accounts is the table of accounts.
type accounts struct{ db *sql.DB }

// account is a row. While Replaced is greater than Revoked, a LogoutAll is due, because
// sessions by an earlier password may be valid. The zero account means that there is none.
type account struct {
	ID, Mail, Hash, Roles string
	Replaced, Revoked     int64
}

const selectAccount = `SELECT id, mail, hash, roles, replaced, revoked FROM accounts WHERE `

// byMail returns the zero account if no account has the address. Its hash is "", which
// takes as long to verify as any other, so that the time does not reveal it.
func (a accounts) byMail(ctx context.Context, mail string) (account, error) {
	return a.one(ctx, `mail = $1`, mail)
}

func (a accounts) byID(ctx context.Context, id string) (account, error) {
	return a.one(ctx, `id = $1`, id)
}

// one does not ask the database for a value that no account can have. PostgreSQL would
// respond with an error, which anyone could cause at the login.
func (a accounts) one(ctx context.Context, where, value string) (one account, err error) {
	if !isText(value) {
		return account{}, nil
	}
	row := a.db.QueryRowContext(ctx, selectAccount+where, value)
	err = row.Scan(&one.ID, &one.Mail, &one.Hash, &one.Roles, &one.Replaced, &one.Revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return account{}, nil
	}
	return one, err
}

// isText reports whether PostgreSQL can store a text.
func isText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

// create reports whether the address was free.
func (a accounts) create(ctx context.Context, mail, hash, roles string) (bool, error) {
	return a.changes(ctx, `INSERT INTO accounts (id, mail, hash, roles, created) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		rand.Text(), mail, hash, roles, time.Now().Unix())
}

// rehash stores a new hash of the same password, and reports whether the hash was
// unchanged before.
func (a accounts) rehash(ctx context.Context, id, before, hash string) (bool, error) {
	return a.changes(ctx, `UPDATE accounts SET hash = $1 WHERE id = $2 AND hash = $3`, hash, id, before)
}

// replace stores the hash of a new password and, in the same write, that sessions by the
// old one must be revoked, so that a crash right after it does not lose this. It reports
// whether the hash was unchanged before: of two concurrent changes, one fails because the
// current password has changed.
func (a accounts) replace(ctx context.Context, id, before, hash string) (bool, error) {
	return a.changes(ctx, `UPDATE accounts SET hash = $1, replaced = replaced + 1 WHERE id = $2 AND hash = $3`, hash, id, before)
}

// setRevoked records that the sessions by that many replaced passwords were revoked.
func (a accounts) setRevoked(ctx context.Context, id string, replaced int64) error {
	_, err := a.changes(ctx, `UPDATE accounts SET revoked = $1 WHERE id = $2 AND revoked < $1`, replaced, id)
	return err
}

// due returns some accounts for which a LogoutAll is due.
func (a accounts) due(ctx context.Context) (list []account, err error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, replaced, revoked FROM accounts WHERE replaced > revoked LIMIT 1000`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one account
		if err := rows.Scan(&one.ID, &one.Replaced, &one.Revoked); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, rows.Err()
}

// grant adds one role and keeps the others. It takes effect at the next request of the
// account. An unknown address is a no-op.
func (a accounts) grant(ctx context.Context, mail, role string) error {
	one := " " + role + " "
	_, err := a.changes(ctx, `UPDATE accounts SET roles = trim(replace(' ' || roles || ' ', $1, ' ') || $2) WHERE mail = $3`, one, role, mail)
	return err
}

// changes reports whether a statement has changed a row. It continues for a while if the
// client disconnects, so that its outcome is known.
func (a accounts) changes(ctx context.Context, statement string, args ...any) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	result, err := a.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
