-- Libraries: documents that any chat may ask, wherever they have come in.
--
-- A document stays where it is, in its chat or with its person's own files; it may stand in any
-- number of libraries beside that. ``folded`` is the name as names are compared, empty for the one
-- library that everybody has. Whoever is a member may read, add to or manage a library.

CREATE TABLE libraries (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    created_at REAL NOT NULL,
    used_at REAL NOT NULL,
    expires_days INTEGER,
    metadata TEXT NOT NULL,
    UNIQUE (owner, folded)
) STRICT;
CREATE TABLE library_members (
    library_id TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
    person_id TEXT NOT NULL,
    may TEXT NOT NULL CHECK (may IN ('read', 'add', 'manage')),
    PRIMARY KEY (library_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX library_members_by_person ON library_members (person_id);
CREATE TABLE library_documents (
    library_id TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    added_at REAL NOT NULL,
    added_by TEXT NOT NULL,
    attributes TEXT NOT NULL,
    PRIMARY KEY (library_id, document_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX library_documents_by_document ON library_documents (document_id);
