"""A PostgreSQL server of the tests' own: made in a temporary folder, thrown away at the end."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import sqlalchemy as sql

from tests.support.parts import missing

_USER = "postgres"  # the one that Debian's package makes; the server refuses to run as root


class Server:
    """A running server that listens on a socket in a folder, and on nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://alvision@/{database}?host={self._folder}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"labels_{next(self._numbers)}"
        engine = sql.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self.url(name)


def program(name: str) -> str:
    """Return a program of PostgreSQL's: that on the path, or the newest that Debian installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(debian[-1]) if debian else shutil.which(name)
    return found or missing(f"PostgreSQL's {name}")


@contextmanager
def server(*settings: str) -> Iterator[Server]:
    """Run a server with `settings` (`name=value`) until the block ends."""
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    as_user = ["runuser", "-u", _USER, "--"] if root else []
    # Short, for a socket's path may have 107 bytes, and every user may pass through it.
    folder = Path(tempfile.mkdtemp(prefix="alvision-", dir="/tmp"))
    try:
        if root:
            shutil.chown(folder, _USER)
        data, log = folder / "data", folder / "log"
        _do([*as_user, initdb, "-D", str(data), "-U", "alvision", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync"], log)  # fmt: skip
        options = f"-k {folder} -h '' " + " ".join(f"-c {setting}" for setting in settings)
        control = [*as_user, pg_ctl, "-D", str(data), "-w", "-t", "120"]
        _do([*control, "-l", str(log), "-o", options, "start"], log)
        try:
            yield Server(folder)
        finally:
            _do([*control, "-m", "immediate", "stop"], log)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _do(command: list[str], log: Path) -> None:
    done = subprocess.run(
        command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        told = log.read_text(errors="replace") if log.exists() else ""
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}{told}")
