"""What only Chainlit needs: guards, history, sign-in, sessions, the page itself."""
