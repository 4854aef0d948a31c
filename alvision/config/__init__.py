"""What a user may set: the schema, its checks, and the way from words to a configuration.

Each key is a field with its type, range and meaning. Only this room and `cli/` may import Hydra;
the other rooms get dataclasses of the schema. Nothing here reads images or labels.
"""
