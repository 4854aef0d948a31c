"""`alvision COMMAND [ACTION] [key=value ...]`: one file a command, named like it.

A command reads its words, calls one function of another room, and prints what came of it. Only
this room and `config/` may import Hydra.
"""

from alvision.cli.dispatch import entry, main

__all__ = ["entry", "main"]
