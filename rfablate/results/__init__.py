"""Writers and readers of a run's files: history, fields, checkpoint, summary, lesion card. Works without DOLFINx."""
