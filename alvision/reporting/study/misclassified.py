"""What a strategy missed: rare images it never asked for, and images its model still gets wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.reporting import html
from alvision.reporting.run.folder import RunFolder, answers_by_image


def missed(
    run: RunFolder,
    labels: Mapping[SampleId, str],
    thumbnails: html.Thumbnails,
    *,
    limit: int,
) -> dict[str, Any] | None:
    """Return the held-out images that the last model calls wrongly; None if that is not known.

    Defects that are called good come first, then the surest mistakes.

    Args:
        run: A finished run.
        labels: The class of the images, by id.
        thumbnails: The page's pictures.
        limit: Most pictures.
    """
    if not run.finished or not labels:
        return None
    file = run.root / "rounds" / f"{run.finished[-1].number:03d}" / "predictions.parquet"
    try:
        found = ClassProbabilities.read(file)
    except (OSError, UserError):
        return None
    wrong, judged = [], 0
    bytes_of = dict(zip(found.ids, found.sha256, strict=True)) if found.sha256 else {}
    for id, values in zip(found.ids, found.values, strict=True):
        if id not in labels:
            continue
        judged += 1
        called = found.classes[int(values.argmax())]
        if called != labels[id]:
            escaped = labels[id] in run.defects and called not in run.defects
            wrong.append((not escaped, -float(values.max()), id, called))
    wrong.sort()
    cards = [
        {
            "id": id,
            "address": thumbnails.address(id, bytes_of.get(id)),
            "answer": labels[id],
            "prediction": called,
            "right": False,
            "reason": f"called {called} with {-sure:.2f}",
            "slot": "" if kept else "escaped",
        }
        for kept, sure, id, called in wrong[:limit]
    ]
    return {
        "cards": cards,
        "wrong": len(wrong),
        "judged": judged,
        "escaped": sum(not kept for kept, *_ in wrong),
        "more": len(wrong) - len(cards),
    }


def found_of(run: RunFolder, full: RunFolder | None, name: str | None) -> tuple[int, int] | None:
    """Return how many images of a class the run labelled, and how many its pool holds.

    The fit on the whole pool knows the pool's labels; None without it.
    """
    if full is None or name is None:
        return None
    in_pool = {id for id, answer in answers_by_image(full).items() if answer.label == name}
    return sum(id in in_pool for id in answers_by_image(run)), len(in_pool)
