"""Slurm job scripts, submission and job states. Works without DOLFINx."""
