"""From a question to a stream of events."""
