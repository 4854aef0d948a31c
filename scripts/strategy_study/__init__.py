"""The parts of `benchmark_strategies.py`: what is run, what is kept of it, and what is said."""
