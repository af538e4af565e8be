"""Slurm: job scripts, submission, job states. Works without DOLFINx."""
