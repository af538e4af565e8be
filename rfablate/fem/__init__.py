"""The finite element problems, electric field and bioheat. Collective: every rank makes every call, in one order."""
