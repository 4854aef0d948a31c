"""`threshold`: the threshold that provably lets few defects through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.console import bar, console
from alvision.cli.options import Options, option
from alvision.config.limits import above, between
from alvision.core.errors import UserError
from alvision.core.shell import command

if TYPE_CHECKING:
    from alvision.deploy.threshold.plan import ThresholdRequest

USAGE = """\
alvision threshold bundle=brakes.bundle escape=0.02 confidence=0.95
alvision threshold bundle=brakes.bundle escape=0.05 human=0.1
alvision threshold bundle=brakes.bundle look=1 scrap=20 defect_share=0.01
alvision threshold bundle=brakes.bundle overkill=0.05

Sets the largest threshold whose escape rate is provably at most escape=, using
the sealed test images alone. With too few sealed defects it refuses and says how
many are missing. Each use of the sealed images is logged: another model needs
sealed defects that are new since then, or has to prove more. Parts of one lot are
alike, so at most one defect of each lot counts, and lots count in proportion to
their defects; threshold.independent=true counts every part. With human= or look=
and scrap= a person sees doubtful parts; the share of bad parts on the line is that
among the monitor images, or defect_share=. With overkill= the good parts are promised
about instead, also where no bad part is known: at most so many of them are stopped,
and how many bad ones pass is told from the sealed ones there are. Writes
thresholds.json into the bundle."""

SHARE = between(above=0, below=1)


@dataclass(frozen=True, kw_only=True)
class PromiseOptions(Options):
    """What a promise is about; `threshold` proves it and `report bundle=` previews it."""

    bundle: Path = option("The bundle.")
    out: Path | None = option(
        "The run that the bundle comes from, if its folder has moved.",
        default=None,
        shown="as the bundle says",
    )
    escape: float = option(
        "Highest share of the defects that may pass.", default=0.02, limits=SHARE
    )
    confidence: float = option("Probability that the promise holds.", default=0.95, limits=SHARE)
    independent: bool = option(
        "Count every part, even where several come from one group.",
        key="threshold.independent",
        default=False,
    )

    def request(self) -> ThresholdRequest:
        """Return what is to be promised."""
        from alvision.deploy.threshold.plan import ThresholdRequest

        return ThresholdRequest(
            escape=self.escape, confidence=self.confidence, independent=self.independent
        )


@dataclass(frozen=True, kw_only=True)
class ThresholdOptions(PromiseOptions):
    """The words of `threshold`."""

    command = "threshold"
    example = "alvision threshold bundle=brakes.bundle escape=0.02 confidence=0.95"

    human: float | None = option(
        "Share of the parts that a person has time to check.",
        default=None,
        limits=between(at_least=0, at_most=1),
    )
    look: float | None = option(
        "Cost of one part that a person checks; needs scrap=.",
        default=None,
        limits=above(0),
    )
    scrap: float | None = option(
        "Cost of one good part that is thrown away; needs look=.",
        default=None,
        limits=above(0),
    )
    defect_share: float | None = option(
        "Share of the line's parts that are bad, for human= or look= and scrap=.",
        default=None,
        limits=between(at_least=0, at_most=1),
        shown="the share among the monitor images",
    )

    overkill: float | None = option(
        "Highest share of the good parts that may be stopped; it is promised in place of escape=.",
        default=None,
        limits=SHARE,
    )

    def __post_init__(self) -> None:
        costs = (self.look is not None) + (self.scrap is not None)
        if costs == 1 or (costs and self.human is not None):
            raise UserError(
                "give look= and scrap= (costs), or human= (a share of the parts), or none of them"
            )
        if self.defect_share is not None and not costs and self.human is None:
            raise UserError("defect_share= is for human=, or for look= and scrap=; leave it out")

    def request(self) -> ThresholdRequest:
        """Return what the threshold has to promise, and what a person's time costs."""
        costs = None if self.look is None or self.scrap is None else (self.look, self.scrap)
        return replace(
            super().request(),
            human=self.human,
            costs=costs,
            defect_share=self.defect_share,
            overkill=self.overkill,
        )


OPTIONS = (ThresholdOptions,)


def threshold(words: list[str]) -> int:
    """Set the threshold of a bundle by a promise, or refuse."""
    options = ThresholdOptions.parse(words)

    from alvision.core.rounds import lock
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.bundle.promise import for_class, verdicts
    from alvision.deploy.threshold.good_parts import still_needed
    from alvision.deploy.threshold.set_threshold import set_threshold
    from alvision.deploy.train.labelled_data import load_labelled, run_config_of_today

    bundle = open_bundle(options.bundle)
    config = run_config_of_today(options.out or Path(bundle.manifest.run))
    labelled = load_labelled(config)
    with lock(Path(str(config.out))), bar("scoring the sealed images") as progress:
        thresholds = set_threshold(bundle, labelled, config, options.request(), progress=progress)
    console.print(thresholds.promise, markup=False)
    console.print(verdicts(thresholds))
    if thresholds.of_good:
        console.print(still_needed(bundle, labelled, config, options.request()), markup=False)
    for name, own in thresholds.per_class.items():
        console.print(f"{name}: {for_class(own)}", markup=False)
    console.print("It does not hold for: " + "; ".join(thresholds.voids), markup=False)
    console.print(f"next: {command('alvision', 'report', f'bundle={bundle.folder}')}", markup=False)
    return 0
