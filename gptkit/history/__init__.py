"""What was asked and answered: journals of what is under way, and the store of all that ended."""
