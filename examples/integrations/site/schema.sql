-- The tables of the site, for SQLite and PostgreSQL alike. The library makes its own
-- tables: auth_store, and auth_store_version with the version of the first.
CREATE TABLE IF NOT EXISTS accounts (
	id       TEXT PRIMARY KEY,          -- the subject of logins; never reused
	mail     TEXT NOT NULL UNIQUE,      -- as mailOf returns it
	hash     TEXT NOT NULL,             -- of the password, by package password
	roles    TEXT NOT NULL DEFAULT '',  -- separated by spaces
	created  BIGINT NOT NULL,           -- seconds since 1970
	replaced BIGINT NOT NULL DEFAULT 0, -- passwords that were replaced,
	revoked  BIGINT NOT NULL DEFAULT 0  -- and those of them whose logins were revoked
);
-- Accounts with logins that are still to be revoked.
CREATE INDEX IF NOT EXISTS accounts_due ON accounts (id) WHERE replaced > revoked;
CREATE TABLE IF NOT EXISTS messages (
	id      TEXT PRIMARY KEY,
	author  TEXT NOT NULL REFERENCES accounts (id),
	body    TEXT NOT NULL,
	created BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_created ON messages (created);
