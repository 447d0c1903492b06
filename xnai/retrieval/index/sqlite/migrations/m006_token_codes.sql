-- Codes of the chunks' tokens, and for each document their format; 0: it has none yet.
--
-- In a table of their own, so that the rows that searches walk stay small.

CREATE TABLE token_codes (
    chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
    codes BLOB NOT NULL
) STRICT;
ALTER TABLE signatures ADD COLUMN codes INTEGER NOT NULL DEFAULT 0;
CREATE TABLE next_token_codes (
    chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
    codes BLOB NOT NULL
) STRICT;
ALTER TABLE next_signatures ADD COLUMN codes INTEGER NOT NULL DEFAULT 0;
