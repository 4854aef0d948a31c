"""The report of one run: read from its folder, written as one page."""
