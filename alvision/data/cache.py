"""The one folder for what can be computed again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from alvision.errors import UserError


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
