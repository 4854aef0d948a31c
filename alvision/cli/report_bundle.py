"""`report bundle=`: the shop report of a bundle."""

from __future__ import annotations

from pathlib import Path

from alvision.cli.console import bar
from alvision.cli.deploy import number, of_run, strange
from alvision.cli.run import console
from alvision.config.overrides import take
from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.threshold.plan import Ask
from alvision.deploy.train import labelled_data
from alvision.reporting.shop import page
from alvision.reporting.shop.facts import gather, headline


def shop_report(words: list[str]) -> int:
    """Write a bundle's shop report; no picture of the seal is judged for it."""
    keys = ("bundle", "out", "escape", "confidence", "threshold.independent", "to")
    taken, rest = take(words, *keys, "debug")
    if rest:
        raise UserError(
            f"the shop report needs a bundle: alvision report bundle=brakes.bundle{strange(rest)}"
        )
    bundle = open_bundle(Path(taken["bundle"]))
    config = of_run(Path(taken.get("out") or bundle.about["run"]))
    ask = Ask(
        escape=number(taken.get("escape", "0.02"), "escape", 0, 1),
        confidence=number(taken.get("confidence", "0.95"), "confidence", 0, 1),
        independent=taken.get("threshold.independent", "false").lower() == "true",
    )
    known = labelled_data.gather(config)
    with bar("looking at the monitor images") as progress:
        shop = gather(bundle, known, config, ask, progress=progress)
    to = Path(taken.get("to") or bundle.folder / "report.html")
    page.write(shop, bundle, known, to)
    console.print(headline(bundle, shop.outlook), markup=False)
    console.print(f"report: {to}", markup=False)
    return 0
