"""Answers from text that was read whole: numbered lines, a quoted source, and what proves it."""
