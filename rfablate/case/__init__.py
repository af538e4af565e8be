"""The case file: its tables, checks, messages and reader."""
