"""The one folder for what can be computed again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from alvision.core.errors import UserError


def cache_folder() -> Path:
    """Return the cache folder, `$ALVISION_CACHE` or the platform's own, and make it if needed.

    Raises:
        UserError: If it cannot be made.
    """
    configured = os.environ.get("ALVISION_CACHE")
    folder = (
        Path(configured).expanduser()
        if configured
        else platformdirs.user_cache_path("alvision", appauthor=False)
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the cache folder {folder} cannot be made ({error.strerror}): "
            "set ALVISION_CACHE to a folder that can be written"
        ) from None
    return folder


def maps_folder() -> Path:
    """Return the folder for memory maps of a pass while they are used."""
    return cache_folder() / "maps"


def cache_limit() -> int:
    """Return how many bytes the features may take, `$ALVISION_CACHE_GB` or 20 GB.

    Raises:
        UserError: It is not a number.
    """
    text = os.environ.get("ALVISION_CACHE_GB", "20")
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise UserError(f"ALVISION_CACHE_GB={text} must be a number of gigabytes, e.g. 20")
    return int(limit * 1e9)
