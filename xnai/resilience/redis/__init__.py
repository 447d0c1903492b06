"""The store that replicas share: connection, wire format, script."""
