"""Pages of our own beside the chat: HTML made on the server, with small modules of JavaScript."""
