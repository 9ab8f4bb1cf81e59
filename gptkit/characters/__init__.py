"""Character cards: what they say, what is wrong with them, and what goes into a request."""
