-- The model of the vectors, and room for those of the model that is to follow.
--
-- Vectors of before are those of the bundled model.

CREATE TABLE embedding (
    model TEXT NOT NULL,
    folder TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    target TEXT NOT NULL
) STRICT;
CREATE TABLE next_vectors (
    chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
    vector BLOB NOT NULL
) STRICT;
CREATE TABLE next_signatures (
    document_id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    first_chunk INTEGER NOT NULL,
    bits BLOB NOT NULL
) STRICT;
INSERT INTO embedding
    SELECT 'all-MiniLM-L6-v2', '', length(vector) / 4, '' FROM vectors LIMIT 1;
