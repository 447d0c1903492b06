"""The history on one SQLite file."""
