"""The conformance suite: what every strategy must promise, checked on trial pools.

Users call it on strategies of their own, so it may import pure Python, torch and numpy, but not
pytest and nothing of the loop.
"""
