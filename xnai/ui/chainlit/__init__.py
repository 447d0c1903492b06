"""Everything that patches Chainlit, checks what reaches it, or knows its insides."""
