"""The case file: its tables, its faults, and the one function that reads it."""
