"""Reusable anatomies and geometry recipes: meshes a case can use with `kind = "mesh"`, made when they are needed."""
