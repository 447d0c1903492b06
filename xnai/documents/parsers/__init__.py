"""The confined process that reads strangers' files, and the server's side of it."""
