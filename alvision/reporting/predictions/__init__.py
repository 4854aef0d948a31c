"""A bundle's predictions for a folder of photographs: a table and a page.

What it writes was predicted already; no model runs here.
"""
