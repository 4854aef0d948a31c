"""The rows of `benchmark_acquisition.py`: a module a strategy, each with `rows(repeats)`."""
