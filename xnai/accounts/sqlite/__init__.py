"""What accounts keep in SQLite, and what they read there."""
