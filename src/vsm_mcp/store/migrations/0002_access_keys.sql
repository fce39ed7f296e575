-- Keys of access. Of the key itself there is only a hash; the grant is JSON.
CREATE TABLE access_key (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    grants BLOB NOT NULL,
    created REAL NOT NULL
) STRICT;
