"""A case as text: what `rfablate check` prints."""
