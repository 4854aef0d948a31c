"""`report`: rebuild the page of a run or a study, or write the shop report of a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alvision.cli.console import bar, console
from alvision.cli.options import Options, option
from alvision.cli.threshold import PromiseOptions
from alvision.core.rounds import DOCUMENT

USAGE = """\
alvision report out=runs/elpv/margin/seed-0
alvision report out=runs/elpv
alvision report bundle=brakes.bundle

Rebuilds the page of a run or of a study from the files in its folder. With
bundle= it writes the shop report: what is promised (or what could be promised,
and how many bad parts that takes), the pictures that slip through or are stopped
for nothing, the borderline, labels and agreement, and what to photograph more
of. The shop report uses monitor images; it does not use the sealed test images."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Options):
    """The words of `report` for a run or a study."""

    command = "report"
    example = (
        "alvision report out=runs/elpv (a run or a study), "
        "alvision report bundle=brakes.bundle (the shop report)"
    )

    out: Path = option("The folder of a run or of a study.")


@dataclass(frozen=True, kw_only=True)
class ShopReportOptions(PromiseOptions):
    """The words of `report bundle=`."""

    command = "report bundle=..."
    example = "alvision report bundle=brakes.bundle"

    to: Path | None = option("The page.", default=None, shown="report.html in the bundle")


OPTIONS = (ReportOptions, ShopReportOptions)


def report(words: list[str]) -> int:
    """Rebuild a run's or a study's report from its files, or write a bundle's."""
    if any(word.startswith("bundle=") for word in words):
        return _of_bundle(ShopReportOptions.parse(words))
    root = ReportOptions.parse(words).out
    return _of_run(root) if (root / DOCUMENT).exists() else _of_study(root)


def _of_run(root: Path) -> int:
    from alvision.reporting.loggers import tensorboard
    from alvision.reporting.run import page
    from alvision.run_folder.load import load_run

    _, manifest, spec = load_run(root)
    for folder in sorted((root / "rounds").glob("[0-9][0-9][0-9]")):
        if (folder / "metrics.json").exists():
            tensorboard.log(root, int(folder.name), manifest=manifest, spec=spec)
    console.print(f"report: {page.write(root, manifest=manifest, spec=spec)}")
    return 0


def _of_study(root: Path) -> int:
    from alvision.cli.compare import explained, tell
    from alvision.study.compare import rebuild

    with explained(root):
        comparison = rebuild(root)
    return tell(root, comparison)


def _of_bundle(options: ShopReportOptions) -> int:
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.train.labelled_data import load_labelled, run_config_of_today
    from alvision.reporting.shop import page
    from alvision.reporting.shop.facts import collect, headline

    bundle = open_bundle(options.bundle)
    config = run_config_of_today(options.out or Path(bundle.manifest.run))
    labelled = load_labelled(config)
    with bar("predicting the monitor images") as progress:
        shop = collect(bundle, labelled, config, options.request(), progress=progress)
    to = options.to or bundle.folder / "report.html"
    page.write(shop, bundle, labelled, to)
    console.print(headline(bundle, shop.outlook), markup=False)
    console.print(f"report: {to}", markup=False)
    return 0
