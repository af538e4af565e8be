"""Differences between two finished runs. Reads run directories and needs no DOLFINx."""
