"""A bundle beside the line: photographs arrive, each is judged once, recorded and moved.

It starts in a second, so it imports neither torch nor Lightning nor Hydra. It never trains, and
never changes the bundle.
"""
