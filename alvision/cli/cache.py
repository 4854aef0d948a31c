"""`cache`: list, verify and prune the features that are kept on disk."""

from __future__ import annotations

import time

from rich.table import Table

from alvision.cli.console import console
from alvision.config.overrides import take
from alvision.core.errors import UserError
from alvision.data.cache import cache_folder, cache_limit
from alvision.inference import cache_maintenance
from alvision.inference.cache_maintenance import Stored

DAY = 86400


def cache(words: list[str]) -> int:
    """List the caches, check every byte of them, or bring them within their bound."""
    action, words = (words[0], words[1:]) if words else ("", [])
    if action not in ("list", "verify", "prune"):
        raise UserError("cache needs an action: alvision cache list|verify|prune")
    taken, rest = take(words, "keep", "debug")
    if rest or ("keep" in taken and action != "prune"):
        raise UserError(f"cache {action} does not know {(rest or ['keep='])[0]}")
    root = cache_folder() / "features"
    limit = _bytes(taken["keep"]) if "keep" in taken else cache_limit()
    found = cache_maintenance.stored(root, check=action != "list")
    if action == "prune":
        won = sum(cache_maintenance.mend(cache) for cache in found)
        gone = cache_maintenance.evict(root, limit)
        won += sum(cache.size for cache in found if cache.folder in gone)
        console.print(f"{len(gone)} caches removed, {won / 1e6:.1f} MB won", markup=False)
        return 0
    _print(found)
    total = sum(cache.size for cache in found)
    console.print(
        f"{total / 1e6:.1f} MB of at most {limit / 1e6:.0f} MB (ALVISION_CACHE_GB) in {root}",
        markup=False,
    )
    if action == "list":
        return 0
    damaged = [path for cache in found for path in cache.damaged]
    for path in damaged:
        console.print(f"- damaged, and never read: {path}", markup=False)
    console.print(f"{len(damaged)} damaged parts; `alvision cache prune` removes them")
    return int(bool(damaged))


def _bytes(text: str) -> int:
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < float("inf"):
        raise UserError(f"keep={text} must be a number of gigabytes, e.g. 5, or 0 for none")
    return int(gigabytes * 1e9)


def _print(found: list[Stored]) -> None:
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
