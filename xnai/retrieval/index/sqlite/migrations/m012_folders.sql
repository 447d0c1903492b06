-- Folders and tags of the documents in a library, what folders of a machine are in step with it, and
-- what became of documents that are gone.
--
-- ``synced_files`` has a row for each file of such a folder: what it was when it was looked at last,
-- and the document that it is (none if it was refused, and then why). ``source`` names machine and
-- folder. ``former_documents`` keeps no word of a document, only that it was there, until when, and
-- which document took its place, if one did.

ALTER TABLE library_documents ADD COLUMN folder TEXT NOT NULL DEFAULT '';
ALTER TABLE library_documents ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
CREATE INDEX documents_by_content ON documents (sha256);
CREATE TABLE synced_files (
    library_id TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    document_id TEXT REFERENCES documents (id) ON DELETE CASCADE,
    refused TEXT NOT NULL,
    PRIMARY KEY (library_id, source, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX synced_files_by_document ON synced_files (document_id);
CREATE TABLE former_documents (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    gone_at REAL NOT NULL,
    successor TEXT NOT NULL
) STRICT, WITHOUT ROWID;
