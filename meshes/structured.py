"""Structured meshes of the package under the name that the tests use; see `rfablate.evidence.structured_meshes`."""

from rfablate.evidence.structured_meshes import box, geometric, rectangle, shell_half_plane, shell_octant

__all__ = ["box", "geometric", "rectangle", "shell_half_plane", "shell_octant"]
