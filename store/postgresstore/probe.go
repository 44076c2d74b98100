package postgresstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// probeSQL asks for the server process that runs it, and whether that process
// knows a name.
const (
	probeSQL  = `SELECT pg_backend_pid(), EXISTS (SELECT FROM pg_prepared_statements WHERE name = $1)`
	probeName = "authlatch_probe"
)

// keepsNames reports whether what is prepared by name on the connection can be
// executed by that name later.
//
// That is so if the connection leads to the server process of which it was told
// the id at its start. A pooler tells an id of its own, and may send each
// transaction to another server process, which lacks the name. Some poolers
// prepare it there, as PgBouncer does with max_prepared_statements. These use
// names of their own, so the server process does not know ours.
func keepsNames(ctx context.Context, conn *pgconn.PgConn) (bool, error) {
	row, err := probe(ctx, conn)
	if isRefusal(err) && !conn.IsClosed() {
		return false, nil // the name is in use, for example
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", errNaming, err)
	}
	process, known := binary.BigEndian.Uint32(row[0]), row[1][0] != 0
	return process == conn.PID() || !known, nil
}

// probe prepares, executes and removes a statement in one transaction, so in
// one server process and one round trip.
func probe(ctx context.Context, conn *pgconn.PgConn) (row [][]byte, err error) {
	p := conn.StartPipeline(ctx)
	defer func() { err = errors.Join(err, p.Close()) }()
	binary := []int16{1}
	p.SendPrepare(probeName, probeSQL, []uint32{pgtype.TextOID})
	p.SendQueryPrepared(probeName, [][]byte{[]byte(probeName)}, binary, binary)
	p.SendDeallocate(probeName)
	if err := p.Sync(); err != nil {
		return nil, err
	}
	if _, err := p.GetResults(); err != nil { // of Prepare
		return nil, err
	}
	results, err := p.GetResults()
	if err != nil {
		return nil, err
	}
	result := results.(*pgconn.ResultReader).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	return result.Rows[0], nil
}

// errNaming says that the connection or the call ended before the statement was
// sent, during the probe or the renewal of a name.
var errNaming = errors.New("prepare statements by name")

func isRefusal(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal)
}

// isNameFailure reports whether a statement has certainly had no effect, because
// its name failed or what came before it. The server resolves a name before it
// executes the statement.
func isNameFailure(err error) bool {
	if errors.Is(err, errNaming) {
		return true
	}
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.Code {
	case "26000", // the name is unknown
		"42P05", // the name is in use
		"0A000": // the result columns are no longer those of the named statement
		return true
	case "08P01": // PgBouncer uses it for all of its errors
		return refusal.Message == "prepared statement did not exist" ||
			refusal.Message == "prepared statement name is already in use"
	}
	return false
}
