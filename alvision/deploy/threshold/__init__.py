"""The threshold of a bundle: the arithmetic of the promise, the sealed images, and the log of use.

The only room that reads the sealed test images.
"""
