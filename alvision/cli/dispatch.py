"""From the words of the command line to one command and its exit status."""

from __future__ import annotations

import difflib
import errno
import gc
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module

from alvision.cli.options import DEBUG, TRUE
from alvision.core import stopping

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
BROKEN_PIPE = 141
"""Exit status where nobody reads the output any more, as of `| head -1`: 128 + SIGPIPE."""
HELP = ("--help", "-h", "help")


def entry() -> None:
    """Run the command line and exit with its status."""
    _replace_closed_streams()
    stopping.listen()
    status = _flushed(main(sys.argv[1:]))
    # Python's last collection would look through everything that torch brought: seconds.
    gc.freeze()
    sys.exit(status)


def main(argv: list[str], dispatch: Callable[[list[str]], int] | None = None) -> int:
    """Run a command and return its exit status: 0 done or waiting for people, else not 0.

    Args:
        argv: The words of the command line.
        dispatch: What runs them; by default the command that the first word names.
    """
    from alvision.core.errors import UserError
    from alvision.core.records import AwaitingLabels

    debug = any(_asks_for_debug(word) for word in argv)
    try:
        return (dispatch or _dispatch)(list(argv))
    except AwaitingLabels as waiting:
        print(waiting)
        return 0
    except UserError as error:
        return _complain(str(error), debug, status=2)
    except KeyboardInterrupt:
        return _complain(
            "interrupted; nothing is lost, the same command goes on",
            debug,
            status=stopping.INTERRUPTED,
        )
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _flushed(0, "\n") == BROKEN_PIPE:
            return BROKEN_PIPE
        if error.errno in DISK_FULL:
            where = f" ({error.filename})" if error.filename else ""
            return _complain(
                f"the disk is full{where}; nothing is lost: free some space and run the same "
                "command again",
                debug,
                status=2,
            )
        if error.filename:
            reason = f"cannot read or write {error.filename} ({error.strerror}); check the path"
            return _complain(reason, debug, status=2)
        return _complain(f"{type(error).__name__}: {error}", debug, status=1, unexpected=True)
    except Exception as error:
        return _complain(f"{type(error).__name__}: {error}", debug, status=1, unexpected=True)


def _dispatch(words: list[str]) -> int:
    from alvision.cli import help
    from alvision.core.errors import UserError

    if "--version" in words:
        print(f"alvision {help.__version__}")
        return 0
    wants_help = any(word in HELP for word in words)
    rest = [word for word in words if word not in HELP]
    if not rest:
        help.overview()
        return 0 if wants_help or not words else 2
    name, words = rest[0], rest[1:]
    if name not in help.COMMANDS:
        near = difflib.get_close_matches(name, help.COMMANDS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        known = ", ".join(help.COMMANDS)
        raise UserError(
            f"there is no command {name!r}{hint}; there are: {known} (`alvision --help`)"
        )
    if wants_help:
        help.command(name)
        return 0
    if "-m" in words or "--multirun" in words:
        if name != "run":
            raise UserError("-m sweeps `run`; `compare` takes its lists itself")
        from alvision.cli.sweep import sweep

        return sweep([word for word in words if word not in ("-m", "--multirun")])
    return _run(name, words)


def _run(name: str, words: list[str]) -> int:
    """Run a command; its refusal of an unknown key offers its own options too."""
    from alvision.config.limits import UnknownKey
    from alvision.core.errors import UserError

    try:
        return _command(name)(words)
    except UnknownKey as error:
        raise UserError(error.of(name, _option_keys(name, words))) from None


def _option_keys(name: str, words: list[str]) -> list[str]:
    """Return the options of a command, or of the action that its first word names."""
    options = import_module(f"alvision.cli.{name}").OPTIONS
    action = [one for one in options if one.command == " ".join([name, *words[:1]])]
    return [key for one in action or options for key in one.option_keys()]


def _flushed(status: int, probe: str = "") -> int:
    """Write what is left of the output; return the status, or that nobody reads it any more.

    Args:
        status: The command's status.
        probe: Written first: a pipe breaks only when something is written into it.
    """
    try:
        sys.stdout.write(probe)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


def _replace_closed_streams() -> None:
    """Give a process that was started without standard streams, as by `>&-`, empty ones.

    Otherwise the next files that are opened take their numbers, and are printed into.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _command(name: str) -> Callable[[list[str]], int]:
    """Import a command when it is asked for: each brings only what it needs."""
    command: Callable[[list[str]], int] = getattr(import_module(f"alvision.cli.{name}"), name)
    return command


def _asks_for_debug(word: str) -> bool:
    key, _, value = word.partition("=")
    return key == DEBUG and value.lower() in TRUE


def _complain(message: str, debug: bool, *, status: int, unexpected: bool = False) -> int:
    if debug:
        traceback.print_exc()
    line = " ".join(message.split())
    hint = " (unexpected: debug=true shows where)" if unexpected and not debug else ""
    print(f"alvision: {line}{hint}", file=sys.stderr)
    return status
