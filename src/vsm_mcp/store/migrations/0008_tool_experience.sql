-- What was seen of tools while they were used here, by the identity of their server's reference and their own name there.
-- The body is JSON; its counts fade with the time since `at`.
CREATE TABLE tool_experience (
    identity TEXT NOT NULL,
    tool TEXT NOT NULL,
    body BLOB NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (identity, tool)
) STRICT;
