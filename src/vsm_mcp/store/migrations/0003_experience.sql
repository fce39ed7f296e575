-- What was seen of servers while they were tried and used here, by the identity of their reference (without version).
-- The body is JSON; its counts fade with the time since `at`.
CREATE TABLE experience (
    identity TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    at REAL NOT NULL
) STRICT;
