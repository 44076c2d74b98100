package postgresstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// waitingSQL counts the writes of this role that wait for a synchronous standby. A write
// that is on its way waits for milliseconds. After SET ROLE, or with track_activities off, it
// counts none: each write that waits then holds a connection of the server.
const waitingSQL = `
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
AND wait_event = 'SyncRep' AND query_start < clock_timestamp() - interval '1 second'`

// write runs a statement that writes. After a write that was not answered, the server may
// wait for a standby, on a connection that this process has left. No more writes are sent
// until that is over: each would hold another connection of the server.
func (s *Store) write(ctx context.Context, sql string, params ...param) (*pgconn.Result, error) {
	if s.unanswered.Load() {
		result, err := s.call(ctx, statement{sql: waitingSQL})
		if err != nil {
			return nil, err
		}
		if n := count(result.Rows[0][0]); n > 0 {
			return nil, fmt.Errorf("%d earlier writes wait for a synchronous standby (synchronous_standby_names)", n)
		}
		s.unanswered.Store(false)
	}
	result, err := s.call(ctx, statement{sql: sql, write: true, byName: true}, params...)
	if err != nil && !isAnswer(err) {
		s.unanswered.Store(true)
	}
	return result, err
}

// isAnswer reports whether an error is the server's answer to a statement. A fatal error
// may be a pooler's that has given up waiting for the server.
func isAnswer(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && refusal.Severity != "FATAL"
}

var errUnconfirmed = errors.New("the write was cancelled while it waited for a synchronous standby: a failover may undo it")

// writing keeps a write on this connection from being cancelled. The function that it
// returns ends that, and returns an error if another has cancelled the write.
func writing(conn *pgconn.PgConn) (done func() error) {
	w := wireOf(conn)
	if w == nil {
		return func() error { return nil }
	}
	w.unconfirmed.Store(false)
	w.writing.Store(true)
	return func() error {
		if conn.IsClosed() {
			return nil // pgx may be about to send a cancel request
		}
		w.writing.Store(false)
		if w.unconfirmed.Load() {
			return errUnconfirmed
		}
		return nil
	}
}
