"""Everything that writes files; root-only functions that take plain arrays."""
