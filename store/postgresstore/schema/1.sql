-- Schema 1. It may also be applied by hand, in one transaction, by a role that
-- owns the tables: the programs then need SELECT, INSERT, UPDATE and DELETE on
-- auth_store, and SELECT on auth_store_version.

-- A swap changes value and expires_at, which are in no index, and fits on the
-- same page. So it updates no index, and the next access to the page removes
-- the old row version (heap-only tuple). Only the sweep changes sweep_at.
CREATE TABLE auth_store (
	key        text COLLATE "C" PRIMARY KEY CHECK (octet_length(key) BETWEEN 1 AND 128),
	value      bytea       NOT NULL CHECK (octet_length(value) BETWEEN 1 AND 65536),
	expires_at timestamptz NOT NULL,
	sweep_at   timestamptz NOT NULL
) WITH (fillfactor = 75);

CREATE INDEX auth_store_sweep_at ON auth_store (sweep_at);

CREATE TABLE auth_store_version (version integer NOT NULL);

INSERT INTO auth_store_version VALUES (1);
