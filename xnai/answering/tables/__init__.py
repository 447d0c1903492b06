"""What a document has as a table: its records, and what can be calculated over them."""
