"""How a bundle came on the line: `promoted.json` in its folder, written by `alvision promote`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from alvision.core.rounds import write_atomically
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.promise import percent_sure
from alvision.deploy.bundle.signature import SIGNATURE, signature, signed
from alvision.deploy.bundle.thresholds import dump

FILE = "promoted.json"


@dataclass(frozen=True)
class LineRecord:
    """How a model came on the line.

    Attributes:
        model: Name of the model, see `Bundle.model`: with another threshold it is another one.
        over: Name of the model that it was compared with; None: it was the first one there.
        confidence: Probability that a model which is worse by its margin is refused.
        margin: What each rate of errors had to stay below.
        escape_margin: The same for the escape rate alone.
        number: The number of the try, from 1.
    """

    model: str
    over: str | None = None
    confidence: float = 0.0
    margin: float = 0.0
    escape_margin: float = 0.0
    number: int = 1


def write_record(folder: Path, record: LineRecord) -> None:
    """Write the record of a bundle's folder, signed."""
    write_atomically(folder / FILE, lambda beside: dump(signed(asdict(record)), beside))


def read_record(bundle: Bundle) -> LineRecord | None:
    """Read the record of a bundle; None if there is none that is about this model.

    A record that was changed by hand is none, and neither is that of another model or threshold.
    """
    try:
        content = json.loads((bundle.folder / FILE).read_text(encoding="utf-8"))
        if content.pop(SIGNATURE) != signature(content):
            return None
        record = LineRecord(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record if record.model == bundle.model else None


def how_tested(bundle: Bundle) -> str:
    """Return in a sentence whether a model was tested against the one before it on the line."""
    record = read_record(bundle)
    if record is None:
        return (
            "This model, with this threshold, was not tested against another one: no promotion is "
            "recorded in its folder."
        )
    if record.over is None:
        return "This model was put on the line without a test: there was none before it."
    return (
        f"Before it came on the line, this model was shown, {percent_sure(record.confidence)} % "
        f"sure, to be worse than the one before it by less than {100 * record.margin:g} of 100 "
        f"parts in every rate of errors, and by less than {100 * record.escape_margin:g} of 100 "
        "bad parts in those that pass."
    )
