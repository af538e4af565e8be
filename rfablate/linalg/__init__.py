"""Linear algebra on the distributed mesh: matrices, conjugate gradients, multigrid. Collective; knows no physics."""
