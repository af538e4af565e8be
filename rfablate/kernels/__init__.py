"""The C kernels and their loader. Knows nothing above it."""
