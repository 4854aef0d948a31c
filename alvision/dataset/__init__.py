"""The data set of a run as one object: images, hashes, groups, split, labels, and who answers.

How files become a list of images belongs to `data/`; how answers are stored belongs to `labels/`.
"""
