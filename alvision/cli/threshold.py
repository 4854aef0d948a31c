"""`threshold`: what a bundle may let through, by a promise that was proven."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.console import bar, console
from alvision.cli.options import number, strange
from alvision.config.overrides import take
from alvision.core.errors import UserError
from alvision.core.rounds import lock
from alvision.run_folder.load import load_run_config_in_place

if TYPE_CHECKING:
    from alvision.deploy.bundle.thresholds import ClassPromise


def threshold(words: list[str]) -> int:
    """Set the threshold of a bundle by a promise, or refuse."""
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.threshold.plan import ThresholdRequest
    from alvision.deploy.threshold.set_threshold import set_threshold
    from alvision.deploy.train.labelled_data import load_labelled

    keys = ("bundle", "out", "escape", "confidence", "threshold.independent", "human", "look")
    taken, rest = take(words, *keys, "scrap", "debug")
    if "bundle" not in taken or rest:
        raise UserError(
            "threshold needs a bundle and nothing but its own keys: alvision threshold "
            f"bundle=brakes.bundle escape=0.02 confidence=0.95{strange(rest)}"
        )
    bundle = open_bundle(Path(taken["bundle"]))
    config = load_run_config_in_place(Path(taken.get("out") or bundle.manifest.run))
    costs = ("look" in taken) + ("scrap" in taken)
    if costs == 1 or (costs and "human" in taken):
        raise UserError("give look= and scrap= (costs), or human= (a share of the parts), or none")
    request = ThresholdRequest(
        escape=number(taken.get("escape", "0.02"), "escape", 0, 1),
        confidence=number(taken.get("confidence", "0.95"), "confidence", 0, 1),
        independent=taken.get("threshold.independent", "false").lower() == "true",
        human=number(taken["human"], "human", 0, 1) if "human" in taken else None,
        costs=(
            number(taken["look"], "look", 0, float("inf")),
            number(taken["scrap"], "scrap", 0, float("inf")),
        )
        if costs
        else None,
    )
    with lock(Path(str(config.out))), bar("scoring the sealed images") as progress:
        thresholds = set_threshold(
            bundle, load_labelled(config), config, request, progress=progress
        )
    console.print(thresholds.promise, markup=False)
    if thresholds.human:
        share = f"{100 * thresholds.human:.0f} in 100"
        console.print(
            f"pass below {thresholds.low:.4f}, reject from {thresholds.high:.4f}, a person looks "
            f"between them ({share})"
        )
    else:
        console.print(f"reject from {thresholds.low:.4f}")
    for name, own in thresholds.per_class.items():
        console.print(f"{name}: {_class_words(own)}", markup=False)
    console.print("It does not hold for: " + "; ".join(thresholds.voids), markup=False)
    console.print(f"next: alvision report bundle={bundle.folder}", markup=False)
    return 0


def _class_words(own: ClassPromise) -> str:
    if own.holds is None:
        return f"no promise of its own, {own.defects} sealed and {own.needed} needed"
    if own.holds:
        return f"the promise holds for it alone too ({own.defects} sealed)"
    return f"the promise does NOT hold for it alone ({own.defects} sealed)"
