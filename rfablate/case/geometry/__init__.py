"""Geometry of a case: shapes, applicator axes and parts. Pure."""
