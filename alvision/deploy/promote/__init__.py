"""The paired test of a new bundle against the one on the line.

Both judge the same monitor images. The sealed test images are never read here.
"""
