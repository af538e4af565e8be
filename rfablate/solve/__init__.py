"""The time loop (loop.py: read it first) and one step of it: the only place where the state of a run changes."""
