"""Checks of a case beyond its schema: faults and warnings."""
