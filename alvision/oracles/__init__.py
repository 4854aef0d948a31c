"""Whoever answers a query: the truth of a data set, a table to fill in, or the page.

An oracle returns answers and stores nothing itself. Only the simulated one may read the truth.
"""
