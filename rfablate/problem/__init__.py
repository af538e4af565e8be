"""From a case and its mesh to what is solved: materials, sensors, generator, step control. Collective."""
