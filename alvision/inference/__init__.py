"""Pool inference: one decode and one trunk pass for any number of scores."""
