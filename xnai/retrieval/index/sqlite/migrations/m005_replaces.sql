-- The former versions that a document replaces as soon as it is processed.

ALTER TABLE documents ADD COLUMN replaces TEXT NOT NULL DEFAULT '[]';
