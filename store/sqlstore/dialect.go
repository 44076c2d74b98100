package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A dialect holds what differs between databases. All its statements are
// constants that commit by themselves; keys and values are arguments.
type dialect struct {
	name      string
	unit      time.Duration    // of a lifetime argument
	oneWriter bool             // whether the database allows one writer at a time
	busy      func(error) bool // whether a conflict prevented the statement, which had no effect

	get    string   // key; returns the value or NULL, and whether the server is a replica
	swap   string   // value, life, key, old
	create []string // value, life, life, key; run until one changes a row
	delete string   // key
	due    string   // returns the keys of some rows to sweep
	later  string   // keys; postpones rows that have not expired
	gone   string   // keys; deletes rows that have expired

	suitable func(ctx context.Context, db *sql.DB) error // returns nil if the database is suitable

	version func(ctx context.Context, conn *sql.Conn) (int, error) // of the schema; 0 if there is none, negative if the table is foreign
	schema  []string                                               // statement n upgrades to version n
	lock    string                                                 // serializes migrations
	unlock  string                                                 // after success
	undo    string                                                 // after a failure; also unlocks
}

// migrate upgrades the schema to the version of this package. If the schema is
// current, only rights to use it are needed.
func (d *dialect) migrate(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if have, err := d.known(ctx, conn); have == len(d.schema) || err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, d.lock); err != nil {
		return err
	}
	if err := d.steps(ctx, conn); err != nil {
		_, undone := conn.ExecContext(context.WithoutCancel(ctx), d.undo)
		return errors.Join(err, undone)
	}
	_, err = conn.ExecContext(ctx, d.unlock)
	return err
}

func (d *dialect) steps(ctx context.Context, conn *sql.Conn) error {
	have, err := d.known(ctx, conn)
	if err != nil {
		return err
	}
	for i, statement := range d.schema[have:] {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create schema version %d: %w", have+i+1, err)
		}
	}
	return nil
}

// known returns the schema version, or an error if this package does not
// support it.
func (d *dialect) known(ctx context.Context, conn *sql.Conn) (int, error) {
	have, err := d.version(ctx, conn)
	switch {
	case err != nil:
		return 0, err
	case have < 0:
		return 0, errors.New("the existing table auth_store was not created by this package")
	case have > len(d.schema):
		return 0, fmt.Errorf("the database has schema version %d, but this program supports only %d: update the program", have, len(d.schema))
	}
	return have, nil
}
