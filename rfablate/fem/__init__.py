"""The finite element problems: electric potential and bioheat. Collective: all ranks make the same calls in order."""
