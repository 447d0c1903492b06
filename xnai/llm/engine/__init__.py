"""The server's side of the local engine: admission, supervisor, attempts. It computes nothing."""
