"""DOCX: what Word shows, numbers, notes, comments and changes included."""
