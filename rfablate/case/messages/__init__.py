"""Error messages for case and study files: where, found, expected, what to try."""
