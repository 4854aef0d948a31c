"""The labelling page: a server process beside the loop's, over the store and the round files."""
