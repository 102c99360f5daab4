-- Users: who logs in by name and password. No start reads them: they are read one by one, when they are asked for.
CREATE TABLE users (
    id        BLOB PRIMARY KEY NOT NULL, -- SHA-256 of 16 random bytes; a name that is used again has another
    name      TEXT UNIQUE NOT NULL,
    password  TEXT NOT NULL,             -- Argon2id, as PHC text
    role      TEXT NOT NULL,             -- 'full' or 'normal'
    standard  BIGINT,                    -- NULL: what the role gives; 1: the standard grants; 0: those of user_grants
    epoch     BIGINT NOT NULL,           -- rises whenever what was logged in under it is to end
    expires   BIGINT,
    disabled  BIGINT NOT NULL,
    added     BIGINT NOT NULL,
    last_used BIGINT                     -- start of the day
) WITHOUT ROWID;

-- Apart from grants, which a start reads as a whole.
CREATE TABLE user_grants (
    user_id BLOB NOT NULL,
    pattern TEXT NOT NULL,
    writes  BIGINT NOT NULL,
    PRIMARY KEY (user_id, pattern)
) WITHOUT ROWID;

-- Personal tokens: what a script of a user's presents instead of name and password.
CREATE TABLE user_tokens (
    digest    BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the token's text
    user_id   BLOB NOT NULL,
    label     TEXT NOT NULL,
    expires   BIGINT,
    added     BIGINT NOT NULL,
    last_used BIGINT,                    -- start of the day
    UNIQUE (user_id, label)
) WITHOUT ROWID;

-- Where users have logged in from, and how.
CREATE TABLE logins (
    user_id  BLOB NOT NULL,
    network  TEXT NOT NULL,   -- '203.0.113.0/24', '2001:db8:1::/48' or 'loopback'
    way      TEXT NOT NULL,   -- 'certificate', 'password' or 'token'
    first    BIGINT,          -- start of the hour; NULL: none has succeeded
    last     BIGINT,          -- start of the hour
    failures BIGINT NOT NULL, -- since the last that succeeded
    PRIMARY KEY (user_id, network, way)
) WITHOUT ROWID;
