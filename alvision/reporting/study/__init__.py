"""The report of a study: its tables, curves and pictures on one page. The numbers come from `study/`."""
