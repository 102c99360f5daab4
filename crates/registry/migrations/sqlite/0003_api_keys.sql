-- Keys of REST callers.
CREATE TABLE api_keys (
    digest      BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the key's text
    name        TEXT UNIQUE NOT NULL,
    standard    BIGINT NOT NULL,           -- 1: the functions of modules.ini that only read
    expires     BIGINT,
    allow_query BIGINT NOT NULL,           -- 1: accepted from a URL's query too
    added       BIGINT NOT NULL,
    last_used   BIGINT                     -- start of the day
) WITHOUT ROWID;

CREATE TABLE api_key_grants (
    digest  BLOB NOT NULL REFERENCES api_keys (digest) ON DELETE CASCADE,
    pattern TEXT NOT NULL,
    writes  BIGINT NOT NULL,
    PRIMARY KEY (digest, pattern)
) WITHOUT ROWID;
