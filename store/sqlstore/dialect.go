package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A dialect is what differs between databases. All of its statements are
// constants that commit by themselves; what they are about comes as arguments.
type dialect struct {
	name      string
	unit      time.Duration    // of a life, as an argument
	oneWriter bool             // whether the database lets one write at a time
	busy      func(error) bool // whether another stood in the way, and nothing has happened

	get    string   // key: the value or NULL, and whether this is a replica
	swap   string   // value, life, key, old
	create []string // value, life, life, key; the first that changes a row has created
	delete string   // key
	due    string   // the keys of some rows to be swept
	later  string   // keys: puts off those that live
	gone   string   // keys: removes those that have expired

	suitable func(ctx context.Context, db *sql.DB) error // nil if the database will do

	version func(ctx context.Context, conn *sql.Conn) (int, error) // of the schema, 0 if there is none
	schema  []string                                               // statement n leads to version n
	lock    string                                                 // makes others wait who migrate
	unlock  string                                                 // after success
	undo    string                                                 // and unlock, after a failure
}

// migrate brings the schema to the version of this package. One that is there
// already needs no rights but to use it.
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
			return fmt.Errorf("make schema %d: %w", have+i+1, err)
		}
	}
	return nil
}

// known is the version, if this package knows it.
func (d *dialect) known(ctx context.Context, conn *sql.Conn) (int, error) {
	have, err := d.version(ctx, conn)
	switch {
	case err != nil:
		return 0, err
	case have < 0:
		return 0, errors.New("there is a table auth_store, and it is not of this package")
	case have > len(d.schema):
		return 0, fmt.Errorf("the database has schema %d, and this program knows %d: update it", have, len(d.schema))
	}
	return have, nil
}
