"""The shop report of a bundle: what is promised, what slips through, what to photograph next.

Written in a shop's words, from what was measured already. The sealed test images are not read.
"""
