"""A run from case to run directory: recorder, monitors, checkpointing, prior treatment, discretisation error."""
