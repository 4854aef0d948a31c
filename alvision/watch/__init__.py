"""A bundle beside the line: photographs arrive, each is judged once, recorded and moved.

Starts in a second, so it imports neither torch nor Lightning nor Hydra.
"""
