-- What was approved of a server, as it was defined: what the pins are the hashes of, to show what differs from it.
CREATE TABLE approved (
    server TEXT PRIMARY KEY REFERENCES server(name) ON DELETE CASCADE,
    body BLOB NOT NULL,
    at REAL NOT NULL
) STRICT;

-- The version before the one in service, with everything that a way back needs; pins are a JSON object.
CREATE TABLE previous (
    server TEXT PRIMARY KEY REFERENCES server(name) ON DELETE CASCADE,
    body BLOB NOT NULL,
    offer BLOB,
    approved BLOB,
    pins TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;

-- A state more: an upgrade that is ready, and waits for a person (`waiting`); `proposal` is all that doing it needs.
CREATE TABLE saga_new (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'waiting', 'done', 'undone', 'stuck')),
    step TEXT NOT NULL,
    plan BLOB NOT NULL,
    started REAL NOT NULL,
    updated REAL NOT NULL,
    proposal BLOB
) STRICT;
INSERT INTO saga_new(id, subject, state, step, plan, started, updated) SELECT id, subject, state, step, plan, started, updated FROM saga;
DROP TABLE saga;
ALTER TABLE saga_new RENAME TO saga;
