"""The report of a study: tables, curves and pictures.

`study/` computes the numbers; none is computed here.
"""
