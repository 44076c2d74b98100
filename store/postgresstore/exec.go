package postgresstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A param is an argument in the binary format, with its type. Arguments are
// sent separately from the statement text, which is constant.
type param struct {
	value []byte
	oid   uint32
}

func text(s string) param  { return param{[]byte(s), pgtype.TextOID} }
func bytea(b []byte) param { return param{b, pgtype.ByteaOID} }
func int8(n int64) param {
	return param{binary.BigEndian.AppendUint64(nil, uint64(n)), pgtype.Int8OID}
}

// call runs one statement, in its own transaction, within [timeout]. It retries a
// statement that the server could not serialize, which has had no effect.
func (s *Store) call(ctx context.Context, write bool, sql string, params ...param) (*pgconn.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		result, err := s.once(ctx, write, sql, params)
		if err == nil || !isSerializationFailure(err) || !pause(ctx, attempt) {
			return result, withContextError(ctx, err)
		}
	}
}

// once uses the protocol below pgx's queries. It parses, binds and executes an
// unnamed statement in one round trip and gets binary results. The modes of pgx
// do so only with a statement that outlives the transaction.
func (s *Store) once(ctx context.Context, write bool, sql string, params []param) (*pgconn.Result, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	values, oids := make([][]byte, len(params)), make([]uint32, len(params))
	for i, p := range params {
		values[i], oids[i] = p.value, p.oid
	}
	binary := []int16{1} // for all parameters and results
	if !write {
		result := conn.Conn().PgConn().ExecParams(ctx, sql, values, oids, binary, binary).Read()
		return result, result.Err
	}
	done := writing(conn.Conn().PgConn())
	result := conn.Conn().PgConn().ExecParams(ctx, sql, values, oids, binary, binary).Read()
	if err := done(); err != nil {
		return nil, err
	}
	return result, result.Err
}

// withContextError adds the context's error to an error after the context has
// ended, which may come from the server or from the connection that was closed.
func withContextError(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// isSerializationFailure reports whether the server has rolled the statement back because
// of a concurrent transaction.
func isSerializationFailure(err error) bool {
	const serialization, deadlock = "40001", "40P01"
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && (refusal.Code == serialization || refusal.Code == deadlock)
}

// pause waits a little, longer with each attempt. It returns false if ctx ends.
func pause(ctx context.Context, attempt int) bool {
	timer := time.NewTimer(time.Duration(min(attempt, 20)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
