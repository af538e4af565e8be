"""The problem to solve, built from a case and its mesh: materials, sensors, generator, step control. Collective."""
