"""Reading documents: parse, chunk, ingest, keep the original file."""
