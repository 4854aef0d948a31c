"""`check`: look over a data set before anyone spends a label on it."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from alvision.cli.console import bar, console
from alvision.cli.options import Options, near_action, option
from alvision.config.limits import at_least, between
from alvision.core.errors import UserError
from alvision.core.records import SECONDS_PER_LABEL, SampleId

USAGE = """\
alvision check data=folder data.root=parts/
alvision check data=csv data.root=parts/ data.file=labels.csv to=check.html
alvision check simulate data.root=parts/ data.image.size=224

Reads every image once, prints what it finds and writes a page with pictures.
Status 1 if something must be mended before labelling starts. The data set is
named as for `run`; classes, groups and labels that people gave on the page count.
simulate also draws scratches, pits and stains on the good photographs, and says
which size and contrast this setting (data.image, model) can still see."""

DAY = 86400


@dataclass(frozen=True, kw_only=True)
class CheckOptions(Options):
    """The words of `check` beside the keys of a run."""

    command = "check"
    example = "alvision check data.root=parts/"

    to: Path | None = option("The page.", default=None, shown="runs/<name>/check.html")
    images: int = option(
        "Most images that are looked at; of more, so many are drawn at random by the seed.",
        default=100_000,
        limits=at_least(1),
    )
    seconds: float = option(
        "The seconds that one answer takes, for the hours that labelling everything would take.",
        default=SECONDS_PER_LABEL,
        limits=between(above=0, below=DAY),
    )


OPTIONS = (CheckOptions,)


def check(words: list[str]) -> int:
    """Look over a data set; return 1 if something must be mended first."""
    simulate = words[:1] == ["simulate"]
    if words and not simulate and "=" not in words[0]:
        raise UserError(
            f"check has the action simulate, and none is called {words[0]!r}"
            f"{near_action(words[0], ['simulate'])}"
        )
    options, words = CheckOptions.take(words[simulate:])

    from alvision.config.compose import compose
    from alvision.data import checks
    from alvision.data.hashes import content_hashes
    from alvision.data.image_spec import AUTO, ImageSpec
    from alvision.data.manifest import build
    from alvision.dataset.dataset import DataSet
    from alvision.dataset.image_settings import settled
    from alvision.dataset.people import as_people, people_label, with_labels, with_people_choices
    from alvision.reporting import check as check_report

    given = compose(words).config
    if people := people_label(given):
        given = with_people_choices(as_people(given))
    manifest = build(given.data)
    if (whole := len(manifest)) > options.images:
        drawn = random.Random(given.seed).sample(manifest.ids, options.images)
        manifest = manifest.subset(drawn)
        console.print(
            f"a sample: {len(manifest):,} of {whole:,} images, drawn at random (seed="
            f"{given.seed}); images=N looks at more or fewer"
        )
    config = settled(given, manifest)
    spec = ImageSpec.from_config(config.data.image)
    if given.data.image.value_range == AUTO:
        console.print(f"data.image.value_range=auto is {config.data.image.value_range}")
    with bar("reading files") as progress:
        hashes = content_hashes(manifest, progress)
    held_out: Collection[SampleId] = ()
    if people:
        held_out = set(DataSet(config, manifest, spec).split.held_out)
        manifest = with_labels(manifest, hashes, config)
    with bar("looking at images") as progress:
        result = checks.check(
            manifest,
            hashes,
            spec,
            classes=config.classes,
            held_out=held_out,
            seconds_per_label=options.seconds,
            progress=progress,
            seed=config.seed,
        )
    if simulate:
        from alvision.cli.simulate import simulated

        with bar("drawing defects") as progress:
            found = simulated(config, manifest, hashes, spec, progress)
        result = replace(result, findings=(*result.findings, found))
    console.print(check_report.table(result))
    if simulate:
        console.print(check_report.figures(found))
    page = options.to or Path("runs") / str(config.name) / "check.html"
    check_report.write(result, manifest, spec, page)
    console.print(f"report: {page}")
    return int(any(finding.severity == "error" for finding in result.findings))
