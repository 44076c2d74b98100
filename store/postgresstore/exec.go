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

// A statement is SQL and how to run it.
type statement struct {
	sql     string
	unnamed string // in place of sql where it has no name, unless this returns no row
	write   bool   // it is not cancelled
	byName  bool   // it runs often, and is prepared by name if the connection keeps names
}

// call runs one statement, in its own transaction, within [timeout]. It runs a
// statement again that has had no effect: without a name if the name was the
// reason, and after a pause if the server could not serialize it.
func (s *Store) call(ctx context.Context, st statement, params ...param) (*pgconn.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	st.byName = st.byName && s.names
	for attempt := 1; ; attempt++ {
		result, err := s.once(ctx, st, params)
		switch {
		case err == nil && st.unnamed != "" && len(result.Rows) == 0:
			st.unnamed, st.byName = "", false
		case err == nil:
			return result, nil
		case st.byName && isNameFailure(err):
			st.byName = false
		case isSerializationFailure(err) && pause(ctx, attempt):
		default:
			return result, withContextError(ctx, err)
		}
	}
}

// once runs a statement in one round trip, after those that prepare it.
func (s *Store) once(ctx context.Context, st statement, params []param) (*pgconn.Result, error) {
	acquired, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer acquired.Release()
	conn := acquired.Conn().PgConn()
	values, oids := make([][]byte, len(params)), make([]uint32, len(params))
	for i, p := range params {
		values[i], oids[i] = p.value, p.oid
	}
	var prepared *pgconn.StatementDescription
	if st.byName {
		if prepared, err = preparedOn(ctx, conn, st.sql, oids); err != nil {
			return nil, err
		}
	}
	sql := st.sql
	if prepared == nil && st.unnamed != "" {
		sql = st.unnamed
	}
	done := func() error { return nil }
	if st.write {
		done = writing(conn)
	}
	result := execute(ctx, conn, prepared, sql, values, oids)
	if err := done(); err != nil {
		return nil, err
	}
	return result, result.Err
}

// execute uses the protocol below pgx's queries. It gets binary results, and
// parses an unnamed statement in the same round trip. The modes of pgx do so
// only with a statement that outlives the transaction.
func execute(ctx context.Context, conn *pgconn.PgConn, prepared *pgconn.StatementDescription, sql string, values [][]byte, oids []uint32) *pgconn.Result {
	binary := []int16{1} // for all parameters and results
	if prepared == nil {
		return conn.ExecParams(ctx, sql, values, oids, binary, binary).Read()
	}
	result := conn.ExecStatement(ctx, prepared, values, binary, binary).Read()
	if result.Err != nil && isNameFailure(result.Err) {
		keepNames(conn, false)
	}
	return result
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
