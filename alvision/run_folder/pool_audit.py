"""The files of an audit of the unlabelled images: what was called, what was drawn, what it says."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.evaluation.draws import Draw

CALLS = "pool_predictions.parquet"
"""What a round's model says of each image that nobody had labelled then: the set of the audit."""

DRAWS = "pool_draws.csv"
RATES = "pool_audit.json"
_COLUMNS = ["id", "propensity", "least"]


def read_draws(folder: Path) -> list[Draw]:
    """Return the images that were drawn from a round's set, in that order; [] before the first.

    Raises:
        UserError: The file is damaged.
    """
    path = folder / DRAWS
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [Draw(row["id"], float(row["propensity"]), float(row["least"])) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it to draw anew") from error


def write_draws(folder: Path, drawn: Sequence[Draw]) -> None:
    """Write all draws of a round's set."""

    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            # repr gives back the same number: limits are computed from these.
            writer.writerows([one.id, repr(one.propensity), repr(one.least)] for one in drawn)

    write_atomically(folder / DRAWS, write)


def write_rates(folder: Path, images: int, rates: Mapping[str, Any]) -> None:
    """Write what the audit says, and of how many images."""

    def write(path: Path) -> None:
        text = json.dumps({"images": images, **rates}, indent=1) + "\n"
        path.write_text(text, encoding="utf-8")

    write_atomically(folder / RATES, write)


def read_rates(root: Path, rounds: int) -> dict[str, Any] | None:
    """Return what the audit of a run's last model says; None: it has none.

    Args:
        root: The run's folder.
        rounds: Finished rounds.
    """
    path = root / "rounds" / f"{rounds - 1:03d}" / RATES
    found: dict[str, Any] | None = None
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
    return found
