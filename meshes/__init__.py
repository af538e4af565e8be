"""Recipes of meshes for cases with `kind = "mesh"`, generated on demand."""
