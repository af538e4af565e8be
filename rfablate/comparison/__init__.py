"""What differs between two finished runs, and by how much; reads run directories and needs no DOLFINx."""
