"""Collective work on a mesh: every rank calls every function here, in the same order."""
