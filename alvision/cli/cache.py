"""`cache`: list, verify or prune the features that are kept on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.console import console
from alvision.cli.options import Options, near_action, option
from alvision.config.limits import at_least
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.inference.cache_maintenance import Stored

USAGE = """\
alvision cache list
alvision cache verify
alvision cache prune keep=5

The cache holds the features of frozen networks, found by the content of the
images. verify reads every byte and ends with status 1 if a part is damaged.
prune removes damaged parts, then the caches that were not used for longest, until
the rest fits. A removed cache costs only the time to compute it again."""

DAY = 86400


@dataclass(frozen=True, kw_only=True)
class ListOptions(Options):
    """The words of `cache list`: none."""

    command = "cache list"
    example = "alvision cache list"


@dataclass(frozen=True, kw_only=True)
class VerifyOptions(Options):
    """The words of `cache verify`: none."""

    command = "cache verify"
    example = "alvision cache verify"


@dataclass(frozen=True, kw_only=True)
class PruneOptions(Options):
    """The words of `cache prune`."""

    command = "cache prune"
    example = "alvision cache prune keep=5"

    keep: float | None = option(
        "Gigabytes that may stay, e.g. 5; 0 removes everything.",
        default=None,
        limits=at_least(0),
        shown="ALVISION_CACHE_GB, or 20",
    )


OPTIONS = (ListOptions, VerifyOptions, PruneOptions)


def cache(words: list[str]) -> int:
    """List the caches, check every byte of them, or bring them within their bound."""
    action, words = (words[0], words[1:]) if words else ("", [])
    if action not in _ACTIONS:
        near = near_action(action, _ACTIONS)
        raise UserError(f"cache needs an action: alvision cache {'|'.join(_ACTIONS)}{near}")
    return _ACTIONS[action](words)


def _list(words: list[str]) -> int:
    from alvision.inference import cache_maintenance

    ListOptions.parse(words)
    _print(cache_maintenance.stored(_root(), check=False))
    return 0


def _verify(words: list[str]) -> int:
    from alvision.inference import cache_maintenance

    VerifyOptions.parse(words)
    found = cache_maintenance.stored(_root(), check=True)
    _print(found)
    damaged = [path for cache in found for path in cache.damaged]
    for path in damaged:
        console.print(f"- damaged, and never read: {path}", markup=False)
    advice = "; `alvision cache prune` removes them" if damaged else ""
    console.print(f"{len(damaged) or 'no'} damaged parts{advice}")
    return int(bool(damaged))


def _prune(words: list[str]) -> int:
    from alvision.data.cache import cache_limit
    from alvision.inference import cache_maintenance

    keep, root = PruneOptions.parse(words).keep, _root()
    found = cache_maintenance.stored(root, check=True)
    won = sum(cache_maintenance.mend(cache) for cache in found)
    gone = cache_maintenance.evict(root, cache_limit() if keep is None else int(keep * 1e9))
    won += sum(cache.size for cache in found if cache.folder in gone)
    console.print(f"{len(gone)} caches removed, {won / 1e6:.1f} MB freed", markup=False)
    return 0


_ACTIONS: dict[str, Callable[[list[str]], int]] = {
    "list": _list,
    "verify": _verify,
    "prune": _prune,
}


def _root() -> Path:
    from alvision.data.cache import cache_folder

    return cache_folder() / "features"


def _print(found: list[Stored]) -> None:
    """Print the caches and how much of the disk they take."""
    from rich.table import Table

    from alvision.data.cache import cache_limit

    limit = cache_limit()
    table = Table("cache", "images", "MB", "last used", "size", "engine", box=None)
    for cache in found:
        image, engine = cache.about.get("image", {}), cache.about.get("engine", [])
        table.add_row(
            cache.folder.name[:12],
            str(cache.images),
            f"{cache.size / 1e6:.1f}",
            f"{max(0.0, time.time() - cache.used) / DAY:.0f} days ago",
            f"{image.get('size', '?')} px" if isinstance(image, dict) else "?",
            " ".join(map(str, engine)) if isinstance(engine, list) else "?",
        )
    if found:
        console.print(table)
    total = sum(cache.size for cache in found)
    console.print(
        f"{total / 1e6:.1f} MB of at most {limit / 1e6:.0f} MB (ALVISION_CACHE_GB) in {_root()}",
        markup=False,
    )
