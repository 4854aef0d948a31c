"""A round is a folder, every step of it a file; running again is resuming."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from alvision.core import stopping
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from filelock import FileLock

STEPS = (
    "ranking.csv",  # with people at a page only
    "query.csv",
    "answers.csv",
    "model.ckpt",
    "predictions.parquet",
    "metrics.json",
)
DOCUMENT = "experiment.yaml"


class Codec(Protocol):
    """Write a step's value to a file and read it back."""

    def write(self, value: Any, path: Path) -> None:
        """Write the value to a path that does not exist yet."""
        ...

    def read(self, path: Path) -> Any:
        """Read it back; a fresh and a resumed run see the same bytes."""
        ...


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, force it to disk, and put it in place in one step.

    A kill at any moment leaves the old file or the new one, never half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.unlink(missing_ok=True)
    write(beside)
    with beside.open("rb+") as file:
        os.fsync(file.fileno())
    _replace(beside, path)
    sync_folder(path.parent)


def _replace(source: Path, target: Path) -> None:
    """Rename over `target`; Windows refuses while a scanner holds it open, so try for a second."""
    for attempt in range(10):
        try:
            source.replace(target)
            return
        except PermissionError:
            if os.name != "nt" or attempt == 9:
                raise
            time.sleep(0.1)


def sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no handle on a folder and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True)
class Round:
    """One round of a run: `rounds/<kkk>/`, with one file for each step in STEPS."""

    number: int
    folder: Path
    codecs: Mapping[str, Codec] = field(repr=False)
    previous: Round | None = field(default=None, repr=False)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the step's value from its file; if there is none yet, make and write it first."""
        stopping.safe_point()
        if not self.has(name):
            value = make()
            write_atomically(self.folder / name, lambda path: self.codecs[name].write(value, path))
        return self.read(name)

    def read(self, name: str) -> Any:
        """Read a step that has been made."""
        return self.codecs[name].read(self.folder / name)

    def has(self, name: str) -> bool:
        """Tell whether a step has been made."""
        return (self.folder / name).exists()

    @property
    def new(self) -> bool:
        """Tell whether nothing of this round has been done; a begun round is always finished."""
        return not any(self.has(name) for name in STEPS)

    @property
    def done(self) -> bool:
        """Tell whether the last step has been made."""
        return self.has(STEPS[-1])

    @property
    def pin(self) -> int:
        """Return the number of the last event that this round has seen."""
        if self.has("answers.csv"):
            events = self.read("answers.csv").events
            if events:
                return events[-1].number
        return self.previous_pin

    @cached_property
    def previous_pin(self) -> int:
        """Return the pin of the round before, 0 before the first."""
        return self.previous.pin if self.previous else 0


def rounds_of(root: Path, codecs: Mapping[str, Codec], count: int) -> list[Round]:
    """Return rounds 0 to `count`, the cold start first, whether or not they have begun."""
    rounds: list[Round] = []
    for number in range(count + 1):
        folder = root / "rounds" / f"{number:03d}"
        rounds.append(Round(number, folder, codecs, rounds[-1] if rounds else None))
    return rounds


def finished_rounds(root: Path, codecs: Mapping[str, Codec]) -> list[Round]:
    """Return the rounds of a folder up to the last one that is whole, whatever the budget says."""
    count = len(list((root / "rounds").glob(f"[0-9]*/{STEPS[-1]}")))
    return [rnd for rnd in rounds_of(root, codecs, count) if rnd.done]


def lock(root: Path) -> FileLock:
    """Take the run folder for this process; the lock ends with the process, however it ends.

    Raises:
        UserError: Another process is working on it, or it cannot be written to.
    """
    from filelock import FileLock, Timeout

    try:
        root.mkdir(parents=True, exist_ok=True)
        held = FileLock(root / ".lock")
        held.acquire(blocking=False)
    except Timeout:
        raise UserError(
            f"{root} is in use by another process; wait for it to end or choose another out="
        ) from None
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(f"cannot write to {root} ({error.strerror}); choose another out=") from None
    return held


def claim(
    root: Path,
    document: dict[str, Any],
    *,
    fixed: Callable[[str], str | None] = lambda key: "it is fixed",
    absent: Mapping[str, Any] | None = None,
    may_lose: Collection[str] = (),
    renewed: Collection[str] = (),
) -> dict[str, Any]:
    """Write `experiment.yaml` once; later, check that this is the same experiment.

    Args:
        root: The run's folder.
        document: What to write: `fingerprint` (flat, what may not change), `classes` and
            `defects` (may be added to), `run` (the identity; the first one stays), and more.
        fixed: Says why a setting of the fingerprint may not change; None where it may.
        absent: What settings are that a fingerprint lacks; those beside them are None.
        may_lose: Which of `classes` and `defects` may lose names too.
        renewed: What else takes its value of today, once nothing fixed has changed.

    Returns:
        The document in force: the stored one, with the classes and defects of today.

    Raises:
        UserError: The folder holds another configuration, or a class is gone.
    """
    path = root / DOCUMENT
    if not path.exists():
        write_atomically(path, lambda beside: _dump(document, beside))
        return read_document(root)
    stored = read_document(root)
    changed = _differences(
        {**(absent or {}), **stored["fingerprint"]},
        {**(absent or {}), **document["fingerprint"]},
        fixed,
    )
    if changed:
        raise UserError(
            f"{root} holds another configuration: {'; '.join(changed[:3])}"
            f"{' and more' if len(changed) > 3 else ''}. Give the old values, or another out="
        )
    grown = {key: document[key] for key in ("classes", "defects")}
    for key, names in grown.items():
        if key in may_lose:
            continue
        gone = [name for name in stored[key] or () if name not in (names or ())]
        if gone:
            raise UserError(
                f"{key}= has lost {', '.join(gone)}, which {root} knows; names can only be added"
            )
    in_force = grown | {key: document[key] for key in renewed}
    if any(stored[key] != value for key, value in in_force.items()):
        stored |= in_force
        write_atomically(path, lambda beside: _dump(stored, beside))
    return stored


def read_document(root: Path) -> dict[str, Any]:
    """Read a run's `experiment.yaml`.

    Raises:
        UserError: There is none, or it cannot be read.
    """
    import yaml

    path = root / DOCUMENT
    # The C parser is seven times faster, which a study of 200 runs notices.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
        if not {"run", "fingerprint", "classes", "defects", "config"} <= set(document):
            raise ValueError("it lacks its keys")
    except FileNotFoundError:
        raise UserError(f"{root} is not a run's folder: it has no {DOCUMENT}") from None
    except (ValueError, TypeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read ({reason}); was it edited?") from None
    return document


def _dump(document: dict[str, Any], path: Path) -> None:
    import yaml

    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    path.write_text(text, encoding="utf-8")


def _differences(
    stored: Mapping[str, Any], given: Mapping[str, Any], fixed: Callable[[str], str | None]
) -> list[str]:
    changed = [k for k in sorted(stored.keys() | given.keys()) if stored.get(k) != given.get(k)]
    return [
        f"{key} was {stored.get(key)!r} and is {given.get(key)!r} ({why})"
        for key in changed
        if (why := fixed(key)) is not None
    ]
