"""Linear algebra on the distributed mesh: matrices, conjugate gradients, multigrid. Collective, without physics."""
