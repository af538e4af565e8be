"""Meshes: generated, read, partitioned, distributed. Makers run on rank 0 only; the domain is collective."""
