"""The language model: a protocol, and the local engine behind it."""
