package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// statements are prepared once, and by database/sql again on each connection:
// a call is then one round trip.
type statements struct {
	get, swap, delete, due, later, gone *sql.Stmt
	create                              []*sql.Stmt

	all []*sql.Stmt
}

// prepare fails if the table or a column is missing.
func (s *statements) prepare(d *dialect) func(context.Context, *sql.DB) error {
	return func(ctx context.Context, db *sql.DB) (err error) {
		s.close() // of an attempt before
		*s = statements{}
		one := func(query string) (statement *sql.Stmt) {
			if err == nil {
				if statement, err = db.PrepareContext(ctx, query); err == nil {
					s.all = append(s.all, statement)
				}
			}
			return statement
		}
		s.get, s.swap, s.delete = one(d.get), one(d.swap), one(d.delete)
		s.due, s.later, s.gone = one(d.due), one(d.later), one(d.gone)
		for _, query := range d.create {
			s.create = append(s.create, one(query))
		}
		return err
	}
}

func (s *statements) close() (err error) {
	for _, statement := range s.all {
		err = errors.Join(err, statement.Close())
	}
	return err
}

// write runs a statement and returns how many rows it has changed.
func (s *Store) write(ctx context.Context, statement *sql.Stmt, args ...any) (changed int64, err error) {
	err = s.retry(ctx, func() error {
		if err := s.takeTurn(ctx); err != nil {
			return err
		}
		defer s.endTurn()
		result, err := statement.ExecContext(ctx, args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	return changed, err
}

// takeTurn queues the writers of this process, where the database has but one
// writer at a time. It would let them poll, and an unlucky one wait for long.
func (s *Store) takeTurn(ctx context.Context) error {
	if s.turn == nil {
		return nil
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) endTurn() {
	if s.turn != nil {
		<-s.turn
	}
}

// retry calls again while another stands in the way, a little later each time.
func (s *Store) retry(ctx context.Context, call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		if err == nil || ctx.Err() != nil || !s.dialect.busy(err) {
			return ended(ctx, err)
		}
		timer := time.NewTimer(time.Duration(min(attempt, 20)) * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ended(ctx, err)
		case <-timer.C:
		}
	}
}

// ended adds the context's error to one that came after the context had ended.
// Drivers have words of their own for it, such as SQLite's "interrupted".
func ended(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
