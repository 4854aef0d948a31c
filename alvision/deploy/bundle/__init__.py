"""A bundle: a folder with the network and everything about it, written, verified, opened and run."""
