"""Conversations on SQLite, behind Chainlit's data layer."""
