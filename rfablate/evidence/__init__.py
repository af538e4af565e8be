"""Evidence for the numbers: convergence of a case, verification of the installation."""
