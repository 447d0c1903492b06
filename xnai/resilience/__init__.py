"""Circuit breakers that replicas share through Redis, and retries with a budget."""
