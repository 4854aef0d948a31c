"""What a user may set: the schema, its checks, and how words on a command line become a run.

Only this room and `cli/` may import Hydra. Other rooms are handed dataclasses of the schema.
"""
