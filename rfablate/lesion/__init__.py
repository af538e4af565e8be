"""Lesion measures: volume, extents, margins, coverage, continuity. Collective, or plain arrays on rank 0."""
