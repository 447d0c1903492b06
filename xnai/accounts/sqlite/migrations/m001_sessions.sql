-- Files of the program before there were migrations have the table already.
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, person_id TEXT NOT NULL, until REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_of_person ON sessions (person_id, until);
