"""`alvision COMMAND [ACTION] [key=value ...]`: one file a command, named like it.

A command parses its words, calls one function of another room, and prints the result. No
computation belongs here. Only this room and `config/` may import Hydra.
"""

from alvision.cli.dispatch import entry, main

__all__ = ["entry", "main"]
