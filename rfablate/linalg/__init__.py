"""Linear algebra on the distributed mesh: matrices, conjugate gradients, multigrid, PETSc. Collective, no physics."""
