"""A bundle: a folder with the network and everything about it; written, checked, run."""
