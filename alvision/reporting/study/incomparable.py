"""The page of a study whose runs cannot be compared: it says why, and lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alvision.core.rounds import DOCUMENT
from alvision.reporting import html
from alvision.reporting.run.folder import RunFolder, read


def write(folder: Path | str, reason: str) -> Path | None:
    """Write a page that says why the runs of a folder cannot be compared, and lists them.

    Nothing is averaged. None, and no page, where the folder holds no run.
    """
    folder = Path(folder)
    runs = [
        _row(read(path), path.relative_to(folder).as_posix())
        for path in sorted(folder.glob("*/seed-*"))
        if (path / DOCUMENT).exists()
    ]
    if not runs:
        return None
    text = html.render("refusal.html", name=folder.name, reason=reason, runs=runs)
    return html.save(folder / "report.html", text)


def _row(run: RunFolder, path: str) -> dict[str, Any]:
    metrics = (run.finished[-1].metrics if run.finished else None) or {}
    return {
        "path": path,
        "rounds": len(run.finished),
        "answers": metrics.get("answers"),
        "metric": run.target.title,
        "score": metrics.get(run.target.name),
    }
