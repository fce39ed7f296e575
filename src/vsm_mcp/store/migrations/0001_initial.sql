-- The first schema. Bodies are JSON; times are seconds since the epoch.
CREATE TABLE server (
    name TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    added REAL NOT NULL
) STRICT;

-- What a server offered when it was last listed: served from memory while it is cold.
CREATE TABLE offer (
    server TEXT PRIMARY KEY REFERENCES server(name) ON DELETE CASCADE,
    body BLOB NOT NULL,
    at REAL NOT NULL
) STRICT;

-- The approved hash of every item of a server.
CREATE TABLE pin (
    server TEXT NOT NULL REFERENCES server(name) ON DELETE CASCADE,
    item TEXT NOT NULL,
    digest TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (server, item)
) STRICT;

-- Acquisitions on their way: written before each step, so that a dead process can be cleaned up after.
CREATE TABLE saga (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'undone', 'stuck')),
    step TEXT NOT NULL,
    plan BLOB NOT NULL,
    started REAL NOT NULL,
    updated REAL NOT NULL
) STRICT;

CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    verdict TEXT NOT NULL,
    rule TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE TRIGGER journal_never_changes BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_never_shrinks BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE evidence (
    acquisition TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (acquisition, seq)
) STRICT;
CREATE TRIGGER evidence_never_changes BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER evidence_never_shrinks BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;

CREATE TABLE demand (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    need TEXT NOT NULL,
    source TEXT NOT NULL,
    met INTEGER NOT NULL
) STRICT;

CREATE TABLE cache (
    key TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    at REAL NOT NULL
) STRICT;
