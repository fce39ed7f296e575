-- Newcomers on their way into the place of an incumbent: the last rollout of each server, whole, as JSON.
CREATE TABLE rollout (
    server TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    updated REAL NOT NULL
) STRICT;

-- What is ready and waits (`waiting`) does so for a person, or (1) because it takes the calls of its server by stages.
ALTER TABLE saga ADD COLUMN rolling INTEGER NOT NULL DEFAULT 0;
