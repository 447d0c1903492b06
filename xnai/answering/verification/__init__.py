"""One statement checked against documents: which sentence supports or contradicts it, if any."""
