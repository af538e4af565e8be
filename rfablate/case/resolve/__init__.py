"""Resolved properties of a case that depend on several tables: tissues, flow, channels."""
