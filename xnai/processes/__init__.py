"""Child processes: one way to start, to feed, to confine and to end them."""
