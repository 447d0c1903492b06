"""OpenAI-compatible endpoints, and who of them is asked."""
