"""Evidence for the numbers: convergence of a case in mesh, time step and domain size."""
