"""The files that a run leaves: each round's files and `experiment.yaml`, written and read.

No other room may know the columns of these files. No torch here.
"""
