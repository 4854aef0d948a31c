"""`report`: the page of a run or a study made again, or the shop report of a bundle."""

from __future__ import annotations

from pathlib import Path

from alvision.cli.compare import explained, tell
from alvision.cli.console import bar, console
from alvision.cli.options import number, strange
from alvision.config.overrides import take
from alvision.core.errors import UserError
from alvision.core.rounds import DOCUMENT
from alvision.run_folder.load import load_run, load_run_config_in_place


def report(words: list[str]) -> int:
    """Rebuild a run's or a study's report from its files, or write a bundle's."""
    from alvision.reporting.loggers import tensorboard
    from alvision.reporting.run import page as run_report
    from alvision.study.compare import rebuild

    if any(word.startswith("bundle=") for word in words):
        return shop_report(words)
    taken, rest = take(words, "out", "debug")
    if "out" not in taken or rest:
        raise UserError(
            "report needs the folder and nothing else: alvision report out=runs/elpv (a run or a "
            "study), alvision report bundle=brakes.bundle (the shop report)"
        )
    root = Path(taken["out"])
    if (root / DOCUMENT).exists():
        _, manifest, spec = load_run(root)
        for folder in sorted((root / "rounds").glob("[0-9][0-9][0-9]")):
            if (folder / "metrics.json").exists():
                tensorboard.log(root, int(folder.name), manifest=manifest, spec=spec)
        console.print(f"report: {run_report.write(root, manifest=manifest, spec=spec)}")
        return 0
    with explained(root):
        comparison = rebuild(root)
    return tell(root, comparison)


def shop_report(words: list[str]) -> int:
    """Write a bundle's shop report; no picture of the seal is judged for it."""
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.threshold.plan import ThresholdRequest
    from alvision.deploy.train import labelled_data
    from alvision.reporting.shop import page
    from alvision.reporting.shop.facts import collect, headline

    keys = ("bundle", "out", "escape", "confidence", "threshold.independent", "to")
    taken, rest = take(words, *keys, "debug")
    if rest:
        raise UserError(
            f"the shop report needs a bundle: alvision report bundle=brakes.bundle{strange(rest)}"
        )
    bundle = open_bundle(Path(taken["bundle"]))
    config = load_run_config_in_place(Path(taken.get("out") or bundle.manifest.run))
    request = ThresholdRequest(
        escape=number(taken.get("escape", "0.02"), "escape", 0, 1),
        confidence=number(taken.get("confidence", "0.95"), "confidence", 0, 1),
        independent=taken.get("threshold.independent", "false").lower() == "true",
    )
    known = labelled_data.load_labelled(config)
    with bar("looking at the monitor images") as progress:
        shop = collect(bundle, known, config, request, progress=progress)
    to = Path(taken.get("to") or bundle.folder / "report.html")
    page.write(shop, bundle, known, to)
    console.print(headline(bundle, shop.outlook), markup=False)
    console.print(f"report: {to}", markup=False)
    return 0
