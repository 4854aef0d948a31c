"""`predict`: a bundle over a folder of photographs."""

from __future__ import annotations

from pathlib import Path

from alvision.cli.console import bar, console
from alvision.cli.options import strange
from alvision.config.overrides import take
from alvision.core.errors import UserError


def predict(words: list[str]) -> int:
    """Run a bundle over a folder; status 1 if an image cannot be read."""
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.bundle.predict import images_in
    from alvision.deploy.bundle.prediction_table import write_table
    from alvision.reporting import predictions

    taken, rest = take(words, "bundle", "images", "to", "debug")
    if not {"bundle", "images"} <= taken.keys() or rest:
        raise UserError(
            "predict needs a bundle and a folder: alvision predict bundle=brakes.bundle "
            f"images=incoming/ to=predictions.csv{strange(rest)}"
        )
    bundle, root = open_bundle(Path(taken["bundle"])), Path(taken["images"])
    paths = images_in(root)
    to = Path(taken.get("to") or "predictions.csv")
    with bar("predicting") as progress:
        table = write_table(bundle, paths, root, to, progress=progress)
    page, counts = to.with_suffix(".html"), table.counts
    predictions.write(bundle, table.shown, root, counts, page)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    console.print(f"{len(paths)} images: {told}", markup=False)
    console.print(f"table: {to}, page: {page}", markup=False)
    return int(bool(counts.get("unreadable")))
