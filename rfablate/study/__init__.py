"""Studies: many runs of one case with keys varied, their table, figures and questions. Never imports the solver."""
