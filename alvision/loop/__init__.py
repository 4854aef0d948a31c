"""Active learning itself: an experiment, what a round asks for, and the loop over the rounds.

`run`, `propose` and `cold_start` see labels, files and numbers only: no torch, no Hydra, so they
are tested with fakes in milliseconds. `build` is where all rooms meet.
"""
