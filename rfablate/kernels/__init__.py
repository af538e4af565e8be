"""The C kernels and their loader; independent of all other modules."""
