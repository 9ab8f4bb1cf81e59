"""The translation memory: every accepted answer to a piece, for all jobs and processes."""
