"""Whether a new bundle may take the place of the one on the line: a paired comparison."""
