package postgresstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// renewal is the number of executions after which a statement is prepared
// again. Until the table is analyzed, the server keeps the plan of a named
// statement. A plan that reads the whole table, which was best when the table
// was tiny, must not outlive its growth.
const renewal = 1000

// names are the named statements of one connection.
type names struct {
	kept     bool                       // by the connection
	prepared map[string]*namedStatement // by their text
}

type namedStatement struct {
	*pgconn.StatementDescription
	uses int
}

// namesKey is the key of the names in the custom data of a connection, which
// only the call that has acquired the connection uses.
const namesKey = "github.com/authlatch/auth/store/postgresstore"

func keepNames(conn *pgconn.PgConn, kept bool) *names {
	n := &names{kept: kept, prepared: make(map[string]*namedStatement)}
	conn.CustomData()[namesKey] = n
	return n
}

// preparedOn returns the statement sql of a connection, and prepares it if it is
// missing. It returns nil if the connection does not keep names. An error means
// that sql has not been executed.
func preparedOn(ctx context.Context, conn *pgconn.PgConn, sql string, oids []uint32) (*pgconn.StatementDescription, error) {
	n, ok := conn.CustomData()[namesKey].(*names)
	if !ok {
		kept, err := keepsNames(ctx, conn)
		if err != nil {
			return nil, err
		}
		n = keepNames(conn, kept)
	}
	if !n.kept {
		return nil, nil
	}
	st := n.prepared[sql]
	if st == nil || st.uses == renewal {
		description, err := prepareByName(ctx, conn, sql, oids, st != nil)
		if err != nil {
			n.kept = !isNameFailure(err)
			return nil, err
		}
		st = &namedStatement{StatementDescription: description}
		n.prepared[sql] = st
	}
	st.uses++
	return st.StatementDescription, nil
}

func prepareByName(ctx context.Context, conn *pgconn.PgConn, sql string, oids []uint32, again bool) (*pgconn.StatementDescription, error) {
	name := nameOf(sql)
	if again {
		if err := conn.Deallocate(ctx, name); err != nil {
			conn.Close(ctx) // pgx leaves the end of an error response unread
			return nil, fmt.Errorf("%w: %w", errNaming, err)
		}
	}
	return conn.Prepare(ctx, name, sql, oids)
}

// nameOf returns a name that a statement with another text does not have, also
// in another version of this package.
func nameOf(sql string) string {
	digest := sha256.Sum256([]byte(sql))
	return "authlatch_" + hex.EncodeToString(digest[:8])
}
