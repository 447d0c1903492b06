-- Checksums of texts, by which a changed byte shows; NULL until they are added.

ALTER TABLE chunks ADD COLUMN checksum INTEGER;
ALTER TABLE pages ADD COLUMN checksum INTEGER;
CREATE INDEX chunks_unchecked ON chunks (id) WHERE checksum IS NULL;
CREATE INDEX pages_unchecked ON pages (document_id) WHERE checksum IS NULL;
