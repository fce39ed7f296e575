-- What was tried to mend each server since it was last well for long, as JSON. It goes with its server.
CREATE TABLE health (
    server TEXT PRIMARY KEY REFERENCES server(name) ON DELETE CASCADE,
    body BLOB NOT NULL,
    at REAL NOT NULL
) STRICT;
