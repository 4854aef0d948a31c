"""The threshold of a bundle: the statistics of its promise, and the log of each use.

This is the only room that reads the sealed test images. Nothing here trains or writes pages.
"""
