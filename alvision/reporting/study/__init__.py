"""The report of a study: tables, curves and pictures; `study/` makes the numbers."""
