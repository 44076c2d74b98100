package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// statements are prepared once, and database/sql prepares them again on each
// connection, so that a call is one round trip.
type statements struct {
	get, swap, delete, due, later, gone *sql.Stmt
	create                              []*sql.Stmt

	all []*sql.Stmt
}

// prepare returns an error if the table or a column is missing.
func (s *statements) prepare(d *dialect) func(context.Context, *sql.DB) error {
	return func(ctx context.Context, db *sql.DB) (err error) {
		s.close() // the statements of an earlier attempt
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

// write runs a statement and returns the number of changed rows.
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

// takeTurn queues the writers of this process if the database allows one writer
// at a time. The database would let them poll, and some could wait for a long
// time.
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

// retry repeats a call that conflicts with another transaction, with a growing
// pause.
func (s *Store) retry(ctx context.Context, call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		if err == nil || ctx.Err() != nil || !s.dialect.busy(err) {
			return withContextError(ctx, err)
		}
		timer := time.NewTimer(time.Duration(min(attempt, 20)) * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return withContextError(ctx, err)
		case <-timer.C:
		}
	}
}

// withContextError adds the context's error to an error after the context has
// ended. Drivers have their own errors for that, such as SQLite's
// "interrupted".
func withContextError(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
