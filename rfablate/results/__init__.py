"""Results as files and back: run directory, history, fields, checkpoint, card, readers. Works without DOLFINx."""
