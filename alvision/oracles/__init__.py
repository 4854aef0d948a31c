"""Whoever answers a query: the truth of a data set, or people who fill in a table."""
