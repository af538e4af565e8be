"""Meshes: generated or read on rank 0 only, then partitioned and distributed; the domain is collective."""
