"""The page: what Chainlit needs to ask questions, show answers and keep conversations."""
