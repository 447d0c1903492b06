"""The index: what is kept of documents, behind the protocols of ``xnai.retrieval.protocol``."""
