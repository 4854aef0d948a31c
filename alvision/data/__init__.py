"""Images on disk, what is known about them, and which of them may be trained on.

Listing, decoding, hashing, grouping and splitting belong here, and checks of a data set before it
is labelled. Labels that people give do not: they are in `labels/`. No network is run here.
"""
