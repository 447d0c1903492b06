"""The server around the page: connections, HTTP with time limits, TLS."""
