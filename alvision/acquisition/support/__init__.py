"""Operations that several strategies share: safe logarithms, distances, coverage, draws.

A function belongs here once two strategies need it. A strategy itself does not.
"""
