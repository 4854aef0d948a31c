"""What a run leaves on disk: the files of each round and `experiment.yaml`, written and read.

No other room may know the columns of these files. No torch here.
"""
