"""Model files: what lies in the models folder, their headers, what memory they need."""
