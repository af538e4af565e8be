"""The time loop (start with loop.py) and the solution of one time step; the state of a run changes only here."""
