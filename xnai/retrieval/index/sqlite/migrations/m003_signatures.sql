-- The signs of a document's vectors, one bit a dimension, for its chunks from first_chunk.

CREATE TABLE signatures (
    document_id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    first_chunk INTEGER NOT NULL,
    bits BLOB NOT NULL
) STRICT;
