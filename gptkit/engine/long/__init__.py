"""Input of any length: its pieces, each an exchange of its own, and what is made of their answers."""
