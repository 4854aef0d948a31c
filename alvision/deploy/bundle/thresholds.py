"""`thresholds.json`: the thresholds of a bundle, and the facts of their promise.

The file is tied to one `bundle.json` by its sha256 and signed with its own, because a threshold
that belongs to another model, or that somebody has edited, would promise what nobody has proven.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.core.shell import command
from alvision.deploy.bundle.signature import SIGNATURE, signature, signed

THRESHOLDS = "thresholds.json"
NEVER = 2.0
"""An upper threshold that no score reaches, because it is a probability; JSON has no infinity."""
VOIDS = (
    "a kind of defect that was not among the sealed ones",
    "lots with more defects than any sealed lot, or sealed defects in other proportions than on "
    "the line",
    "another camera, lens, light, exposure or position of the part",
    "another image spec, model or threshold than those in the bundle",
    "sealed images that were trained on, or chosen because the model found them hard",
)
"""Cases that a promise does not cover."""
VOIDS_OF_GOOD = (
    "good parts of a kind that was not among the sealed ones: another supplier, surface or colour",
    *VOIDS[2:],
)
"""The same for a promise about good parts."""


@dataclass(frozen=True)
class SealedLots:
    """The lots of the sealed defects: how many, and the number of defects of the largest one."""

    count: int
    largest: int


@dataclass(frozen=True)
class Overkill:
    """Share of good parts that are stopped: observed (None without any), and its upper limit."""

    seen: float | None
    at_most: float


@dataclass(frozen=True)
class ClassPromise:
    """The promise for one class, as its sealed defects prove it.

    Attributes:
        defects: Independent sealed defects of the class.
        holds: Whether the promise is proven for the class alone; None if there are too few defects.
        needed: How many it would need; 0 if there are enough.
    """

    defects: int
    holds: bool | None
    needed: int


@dataclass(frozen=True)
class Thresholds:
    """The content of `thresholds.json`.

    A part passes below `low`, is rejected from `high` on, and goes to a person in between.

    Attributes:
        low: The threshold of the promise.
        high: The upper threshold; equal to `low` where no person looks, and `NEVER` (infinite in
            a file from before) where a person looks at all that does not pass.
        escape: Highest share of defects that may pass.
        confidence: Probability that the promise holds.
        independent: Every sealed image counts as independent, whatever its group.
        human: Share of the line's parts that go to a person, estimated.
        defects: Sealed defects.
        independent_defects: Those of them that the promise is proven on, at most one of a lot.
        lots: Their lots; None in a file from before, where one defect of every lot counted.
        unnamed: Those of them that nobody could name.
        good: Independent sealed good parts.
        overkill: Good parts that are stopped.
        escaped: sha256 of the sealed defects that pass.
        overkilled: sha256 of the sealed good parts that are stopped.
        per_class: What is proven for each class of defect.
        reading: The number of this use of the sealed images, from 1.
        spent_confidence: Confidence that this use had to prove the promise with.
        joint_confidence: Confidence that this promise holds and those of all earlier uses too;
            None in a file from before.
        defect_share: Share of the line's parts that are defects, which `human` was weighed with;
            None without a person, and in a file from before.
        of_good: The promise is `overkill.at_most`, and the threshold was set by good parts;
            `escape` is what the sealed defects show then, 1 without any.
        voids: What the promise does not cover.
        promise: The promise as a sentence.
        bundle: sha256 of the `bundle.json` that it belongs to; empty before it is written.
    """

    low: float
    high: float
    escape: float = 0.0
    confidence: float = 0.0
    independent: bool = False
    human: float = 0.0
    defects: int = 0
    independent_defects: int = 0
    lots: SealedLots | None = None
    unnamed: int = 0
    good: int = 0
    overkill: Overkill = Overkill(None, 1.0)
    escaped: tuple[str, ...] = ()
    overkilled: tuple[str, ...] = ()
    per_class: Mapping[str, ClassPromise] = field(default_factory=dict)
    reading: int = 1
    spent_confidence: float = 0.0
    joint_confidence: float | None = None
    defect_share: float | None = None
    of_good: bool = False
    voids: tuple[str, ...] = VOIDS
    promise: str = ""
    bundle: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, in the order of the file, without the signature."""
        # A file from before stays as it was, because its text names the model of a watched line.
        later = {
            "lots": self.lots and asdict(self.lots),
            "defect_share": self.defect_share,
            "joint_confidence": self.joint_confidence,
            "of_good": self.of_good or None,
        }
        return {
            "bundle": self.bundle,
            "escape": self.escape,
            "confidence": self.confidence,
            "independent": self.independent,
            "low": self.low,
            "high": self.high,
            "human": self.human,
            "defects": self.defects,
            "independent_defects": self.independent_defects,
            "unnamed": self.unnamed,
            "good": self.good,
            "overkill": asdict(self.overkill),
            "escaped": list(self.escaped),
            "overkilled": list(self.overkilled),
            "per_class": {name: asdict(own) for name, own in self.per_class.items()},
            "reading": self.reading,
            "spent_confidence": self.spent_confidence,
            "voids": list(self.voids),
            "promise": self.promise,
            **{key: value for key, value in later.items() if value is not None},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Thresholds:
        """Read the values of a file.

        Raises:
            KeyError: A value is missing.
            TypeError: There is a value that this version does not know.
        """
        per_class = values["per_class"].items()
        parts: dict[str, Any] = {
            "overkill": Overkill(**values["overkill"]),
            "lots": SealedLots(**values["lots"]) if values.get("lots") else None,
            "per_class": {name: ClassPromise(**own) for name, own in per_class},
        }
        lists = {key: tuple(values[key]) for key in ("escaped", "overkilled", "voids")}
        return cls(**{**values, **parts, **lists})

    @property
    def rejects(self) -> bool:
        """Tell whether some score is rejected unseen."""
        return self.high < NEVER

    @property
    def contradicted(self) -> bool:
        """Tell whether more sealed defects pass than promised: only in a file from before."""
        return len(self.escaped) > self.escape * self.defects

    @property
    def text(self) -> str:
        """Return all values as text with sorted keys."""
        return json.dumps(self.to_json(), sort_keys=True)


def write_thresholds(folder: Path, identity: str, thresholds: Thresholds) -> Path:
    """Write a bundle's `thresholds.json`, tied to the bundle and signed.

    Args:
        folder: The bundle's folder.
        identity: sha256 of its `bundle.json`.
        thresholds: What to write.
    """
    tied = replace(thresholds, bundle=identity)
    path = folder / THRESHOLDS
    write_atomically(path, lambda beside: dump(signed(tied.to_json()), beside))
    return path


def read_thresholds(folder: Path, identity: str) -> Thresholds | None:
    """Read a bundle's `thresholds.json`; None if there is none.

    Raises:
        UserError: It is damaged, was changed by hand, or belongs to another model.
    """
    path = folder / THRESHOLDS
    if not path.exists():
        return None
    again = f"write it again with {command('alvision', 'threshold', f'bundle={folder}')}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        expected = content.pop(SIGNATURE)
    except (ValueError, KeyError, AttributeError):
        raise UserError(f"{path} is damaged: {again}") from None
    if expected != signature(content):
        raise UserError(f"{path} was changed by hand: {again}")
    try:
        thresholds = Thresholds.from_json(content)
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{path} was written by another version of alvision: {again}") from None
    if not thresholds.low <= thresholds.high:
        raise UserError(f"{path} is damaged: {again}")
    if thresholds.bundle != identity:
        raise UserError(f"{path} belongs to another model: {again}")
    return thresholds


def dump(content: Mapping[str, Any], path: Path) -> None:
    """Write JSON for people to read."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="")
