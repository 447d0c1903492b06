"""The Model Context Protocol: documents and answers for agents, by the official SDK, read-only."""
