"""Finding passages: embedder, index, hybrid search."""
