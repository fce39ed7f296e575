-- Demand, each need once for each source: what was in the old table is counted together.
CREATE TABLE demand_new (
    key TEXT NOT NULL,
    source TEXT NOT NULL,
    need TEXT NOT NULL,
    count INTEGER NOT NULL,
    met INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    PRIMARY KEY (key, source)
) STRICT;
INSERT INTO demand_new(key, source, need, count, met, first, last)
SELECT lower(trim(need)), CASE source WHEN 'agent' THEN 'agent' ELSE 'person' END, trim(need), COUNT(*), SUM(met), MIN(at), MAX(at)
FROM demand GROUP BY 1, 2;
DROP TABLE demand;
ALTER TABLE demand_new RENAME TO demand;
CREATE INDEX demand_by_age ON demand(last);

-- What the autopilot remembers of a need or a server: what was tried, proposed, denied, given notice. Bodies are JSON.
CREATE TABLE memory (
    kind TEXT NOT NULL CHECK (kind IN ('need', 'server', 'proposal')),
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT;

-- What the autopilot has used of its budget.
CREATE TABLE spending (
    at REAL NOT NULL,
    what TEXT NOT NULL,
    amount REAL NOT NULL
) STRICT;
CREATE INDEX spending_by_age ON spending(at);
