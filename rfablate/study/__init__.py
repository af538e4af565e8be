"""Parameter studies and searches: many runs of one case with varied keys. Never imports the solver."""
