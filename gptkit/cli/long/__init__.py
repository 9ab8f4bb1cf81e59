"""Commands over input that is larger than one request."""
