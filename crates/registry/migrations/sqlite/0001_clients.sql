-- Clients, linked or not. Nothing tells the order in which rows came: they lie in the order of their keys.
CREATE TABLE clients (
    key_digest     BLOB PRIMARY KEY NOT NULL, -- SHA-256 of public_key
    public_key     BLOB NOT NULL,
    name           TEXT UNIQUE,               -- linked clients only
    secret         BLOB UNIQUE,               -- linked clients only: SHA-256 of the secret
    previous       BLOB,                      -- after a rotation: the old secret
    previous_until BIGINT,
    standard       BIGINT NOT NULL,           -- 1: the functions of modules.ini that only read
    expires        BIGINT,
    disabled       BIGINT NOT NULL,
    classic        BIGINT NOT NULL,
    added          BIGINT,                    -- linked clients only
    last_used      BIGINT                     -- start of the day
) WITHOUT ROWID;

-- Secrets of unlinked clients: no times, no order, no key.
CREATE TABLE secrets (
    digest BLOB PRIMARY KEY NOT NULL
) WITHOUT ROWID;

CREATE TABLE grants (
    key_digest BLOB NOT NULL REFERENCES clients (key_digest) ON DELETE CASCADE,
    pattern    TEXT NOT NULL,
    writes     BIGINT NOT NULL,
    PRIMARY KEY (key_digest, pattern)
) WITHOUT ROWID;

-- Digests of keys and secrets that were revoked, expired or purged: known, and not to come back by themselves.
CREATE TABLE tombstones (
    digest BLOB PRIMARY KEY NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
);

-- Marks of single clients whose clocks run ahead.
CREATE TABLE marks (
    key_digest BLOB PRIMARY KEY NOT NULL,
    mark       BIGINT NOT NULL
) WITHOUT ROWID;

-- Values of proven requests that were refused because their time was ahead.
CREATE TABLE ahead (
    item       BLOB PRIMARY KEY NOT NULL,
    key_digest BLOB NOT NULL,
    ts         BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE meta (
    name  TEXT PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
) WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('generation', 1), ('accepted_until', 0);
