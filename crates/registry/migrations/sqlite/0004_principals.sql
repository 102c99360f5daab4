-- Everybody who has a name and proves to be it by a key: linked clients and api keys.
CREATE TABLE principals (
    digest         BLOB PRIMARY KEY NOT NULL, -- SHA-256 of a client's public key, or of an api key's text
    kind           TEXT NOT NULL,             -- 'client' or 'apikey'
    name           TEXT NOT NULL,
    public_key     BLOB,                      -- clients only
    secret         BLOB,                      -- clients only: SHA-256 of the secret
    previous       BLOB,                      -- after a rotation: the old secret
    previous_until BIGINT,
    standard       BIGINT NOT NULL,           -- 1: the functions of modules.ini that only read
    expires        BIGINT,
    disabled       BIGINT NOT NULL,
    classic        BIGINT NOT NULL,           -- 1: the classic search tries its key
    allow_query    BIGINT NOT NULL,           -- 1: an api key that is accepted from a URL's query too
    added          BIGINT NOT NULL,
    last_used      BIGINT,                    -- start of the day
    UNIQUE (kind, name)
) WITHOUT ROWID;

CREATE UNIQUE INDEX principals_secret ON principals (secret) WHERE secret IS NOT NULL;
-- Whether a secret is known is asked with each registration; without it that reads all.
CREATE INDEX principals_previous ON principals (previous) WHERE previous IS NOT NULL;

INSERT INTO principals (digest, kind, name, public_key, secret, previous, previous_until, standard, expires, disabled,
                        classic, allow_query, added, last_used)
SELECT key_digest, 'client', name, public_key, secret, previous, previous_until, standard, expires, disabled,
       classic, 0, COALESCE(added, 0), last_used
FROM clients WHERE name IS NOT NULL;

INSERT INTO principals (digest, kind, name, standard, expires, disabled, classic, allow_query, added, last_used)
SELECT digest, 'apikey', name, standard, expires, 0, 0, allow_query, added, last_used FROM api_keys;

-- Keys of unlinked clients: no times, no order, no secret. They lie in the order of their digests.
CREATE TABLE unlinked_keys (
    digest     BLOB PRIMARY KEY NOT NULL, -- SHA-256 of public_key
    public_key BLOB NOT NULL,
    standard   BIGINT NOT NULL,
    expires    BIGINT,
    last_used  BIGINT
) WITHOUT ROWID;

INSERT INTO unlinked_keys (digest, public_key, standard, expires, last_used)
SELECT key_digest, public_key, standard, expires, last_used FROM clients WHERE name IS NULL AND disabled = 0;

-- A restore could leave an unlinked key disabled, which nothing here could say.
INSERT INTO tombstones (digest)
SELECT key_digest FROM clients WHERE name IS NULL AND disabled <> 0 ON CONFLICT DO NOTHING;

-- Secrets of unlinked clients: no times, no order, no key.
ALTER TABLE secrets RENAME TO unlinked_secrets;

-- What principals and unlinked clients may call, where that is not the standard.
ALTER TABLE grants RENAME TO client_grants;
CREATE TABLE grants (
    digest  BLOB NOT NULL,
    pattern TEXT NOT NULL,
    writes  BIGINT NOT NULL,
    PRIMARY KEY (digest, pattern)
) WITHOUT ROWID;
INSERT INTO grants (digest, pattern, writes)
SELECT key_digest, pattern, writes FROM client_grants
WHERE key_digest IN (SELECT digest FROM principals UNION SELECT digest FROM unlinked_keys);
INSERT INTO grants (digest, pattern, writes) SELECT digest, pattern, writes FROM api_key_grants;

DROP TABLE client_grants;
DROP TABLE api_key_grants;
DROP TABLE clients;
DROP TABLE api_keys;

-- What a server that knows everything up to one number has to read again: the principal that was added, changed or
-- removed, or, without a digest, the unlinked clients. Of the latter there is one row, which is replaced.
CREATE TABLE changes (
    number BIGINT PRIMARY KEY NOT NULL, -- the generation that the change began
    digest BLOB
) WITHOUT ROWID;

-- Changes up to this number are not told one by one: who knows less reads everything.
INSERT INTO meta (name, value) SELECT 'changes_from', value FROM meta WHERE name = 'generation';
