"""The data set of a run as one object: images, hashes, groups, split, labels, who answers.

The other rooms ask it instead of putting these together themselves. How files become a list of
images belongs to `data/`, and how answers are stored belongs to `labels/`, not here.
"""
