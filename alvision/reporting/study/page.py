"""The report of a study: what was compared, what it shows, and the runs behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core import shell
from alvision.core.records import SECONDS_PER_LABEL
from alvision.evaluation.curves import Band, band
from alvision.reporting import figures, html
from alvision.reporting.run import summary
from alvision.reporting.run.folder import RunFolder, answers_by_image, read
from alvision.reporting.run.page import gallery
from alvision.reporting.study import tables
from alvision.reporting.study.misclassified import found_of, missed
from alvision.reporting.study.protocol import command, facts, links
from alvision.study.collect import BASELINE, FULL, THROUGHOUT, collect, run_folder
from alvision.study.discovery import SHARES, discovery_bands
from alvision.study.statistics import LEVEL, seeds_needed
from alvision.study.summary import Comparison, summarise
from alvision.study.verdict import random_of, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alvision.core.records import SampleId
    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest

PICTURES_A_ROUND = 12
PICTURES = 480
"""Most pictures of the page: some 2 MB."""
CHOSEN = 360
"""Most of them that show what was chosen; the others show what was missed."""


def write(
    folder: Path | str,
    comparison: Comparison | None = None,
    manifest: Manifest | None = None,
    spec: ImageSpec | None = None,
    labels: Mapping[SampleId, str] | None = None,
) -> Path:
    """Write `report.html` into a study's folder.

    Args:
        folder: The study's folder.
        comparison: Its numbers; None computes them from the runs' files.
        manifest: Where the pictures are; None shows placeholders.
        spec: The evaluation transform, so that pictures look as the network sees them.
        labels: The class of the held-out images, to show what the last models get wrong.

    Raises:
        UserError: The folder holds no study, or runs that cannot be compared.
    """
    folder = Path(folder)
    comparison = comparison or summarise(collect(folder))
    thumbnails = html.Thumbnails(manifest, spec, budget=PICTURES)
    text = html.render("study.html", **_content(folder, comparison, thumbnails, labels or {}))
    return html.save(folder / "report.html", text)


def figure(comparison: Comparison, path: Path | str) -> Path:
    """Write the learning curves with their bands as a picture, `.png` or `.svg`, under 150 kB."""
    return figures.save(_curves(comparison), Path(path))


def _content(
    folder: Path,
    comparison: Comparison,
    thumbnails: html.Thumbnails,
    labels: Mapping[SampleId, str],
) -> dict[str, Any]:
    study = comparison.study
    runs = {name: read(run_folder(folder, name, study.seeds[0])) for name in study.acquisitions}
    shared = [run for name, run in runs.items() if name != THROUGHOUT] or list(runs.values())
    first = shared[0]
    colours = _colours(comparison)
    shown = {name: figures.variable(colour) for name, colour in colours.items()}
    return {
        "name": summary.name_of(first),
        "verdict": verdict(comparison),
        "metric": study.metric_title,
        "seeds": study.seeds,
        "baseline": study.baseline,
        "random": random_of(comparison) if study.baseline else None,
        "throughout": THROUGHOUT if THROUGHOUT in study.acquisitions else None,
        "after_start": BASELINE if study.same_start else None,
        "rows": tables.main_rows(comparison, shown),
        "matrix": tables.matrix(comparison),
        "matrix_needed": seeds_needed(max(1, len(comparison.pairs))),
        "classes": tables.classes(comparison, shown),
        "costs": tables.costs(comparison, shown),
        "discovery": tables.discovery(comparison, shown),
        "discovery_chart": _discovery(comparison),
        "seconds_assumed": SECONDS_PER_LABEL,
        "files": tables.downloads(comparison),
        "chart": figures.inline(_curves(comparison), title=f"{study.metric_title} over answers"),
        "differences": _differences(comparison),
        "full": _full(comparison),
        "detectable": _detectable(comparison),
        "level": LEVEL,
        "needed": comparison.seeds_needed,
        "galleries": _galleries(runs, shown, thumbnails),
        "missed": _missed(folder, runs, comparison, shown, thumbnails, labels),
        "facts": facts(first, comparison),
        "command": command(first, comparison),
        "rebuild": shell.command("alvision", "report", f"out={folder}"),
        "versions": first.experiment.get("versions") or {},
        "links": links(folder, comparison),
    }


def _galleries(
    runs: Mapping[str, RunFolder], colours: Mapping[str, str], thumbnails: html.Thumbnails
) -> list[dict[str, Any]]:
    """Return what each strategy chose in each round after the cold start."""
    rounds = max(len(run.rounds) - 1 for run in runs.values())
    limit = min(PICTURES_A_ROUND, max(2, CHOSEN // max(1, len(runs) * rounds)))
    return [
        {
            "name": name,
            "colour": colours[name],
            "rounds": [
                gallery(rnd, answers, thumbnails, limit) for rnd in run.rounds[1:] if rnd.query
            ],
        }
        for name, run in runs.items()
        for answers in [answers_by_image(run)]
    ]


def _missed(
    folder: Path,
    runs: Mapping[str, RunFolder],
    comparison: Comparison,
    colours: Mapping[str, str],
    thumbnails: html.Thumbnails,
    labels: Mapping[SampleId, str],
) -> list[dict[str, Any]]:
    """Return what each strategy missed in the first seed."""
    study = comparison.study
    path = run_folder(folder, FULL, study.seeds[0])
    full = read(path) if path.exists() else None
    rarest = study.details.rarest if study.details else None
    limit = min(PICTURES_A_ROUND, max(2, (PICTURES - CHOSEN) // len(runs)))
    found_wrong = []
    for name, run in runs.items():
        held_out = missed(run, labels, thumbnails, limit=limit)
        found = found_of(run, full, rarest)
        if held_out or found:
            found_wrong.append(
                {
                    "name": name,
                    "colour": colours[name],
                    "held_out": held_out,
                    "found": found,
                    "rarest": rarest,
                }
            )
    return found_wrong


def _colours(comparison: Comparison) -> dict[str, str]:
    others = [row.acquisition for row in comparison.others]
    colours = {
        name: figures.SERIES[place % len(figures.SERIES)] for place, name in enumerate(others)
    }
    return {comparison.study.baseline or "": figures.RANDOM, **colours}


def _curves(comparison: Comparison) -> Figure:
    """Draw the learning curves."""
    study = comparison.study
    bands = {name: band(list(study.answers), list(curves)) for name, curves in study.values.items()}
    levels = {}
    if study.full is not None:
        levels["all labels"] = float(study.full.mean())
    return figures.curves(
        _lines(bands, comparison),
        x_label="answers given",
        y_label=f"{study.metric_title}, mean of {html.count(len(study.seeds), 'seed')}",
        levels=levels,
    )


def _discovery(comparison: Comparison) -> str | None:
    """Draw the share of the pool's defects that is found; None where that is not known."""
    bands = discovery_bands(comparison.study)
    if not bands:
        return None
    drawn = figures.curves(
        _lines(bands, comparison),
        x_label="answers given",
        y_label="share of the pool's defects found",
        levels={"half": SHARES[0], f"{100 * SHARES[1]:.0f} %": SHARES[1]},
    )
    return figures.inline(drawn, title="Defects found over answers")


def _lines(bands: Mapping[str, Band], comparison: Comparison) -> list[figures.Curve]:
    """Return curves to draw, the baseline first; all are shares, so a wide band ends at 0 and 1."""
    colours = _colours(comparison)
    return [
        figures.Curve(
            name,
            bands[name].answers.tolist(),
            bands[name].mean.tolist(),
            bands[name].low.clip(0, 1).tolist(),
            bands[name].high.clip(0, 1).tolist(),
            colours[name],
        )
        for name in sorted(bands, key=lambda name: name != comparison.study.baseline)
    ]


def _differences(comparison: Comparison) -> str | None:
    baseline = comparison.baseline
    if baseline is None or not comparison.others:
        return None
    rows = {row.acquisition: (row.areas - baseline.areas).tolist() for row in comparison.others}
    label = f"area under the curve minus {baseline.acquisition}'s, one dot a seed"
    return figures.inline(figures.differences(rows, x_label=label), title="Paired differences")


def _detectable(comparison: Comparison) -> list[tuple[str, float]]:
    """Return what each comparison could find; nothing where too few seeds could find anything."""
    if len(comparison.study.seeds) < comparison.seeds_needed:
        return []
    return [
        (row.acquisition, row.detectable) for row in comparison.others if row.detectable is not None
    ]


def _full(comparison: Comparison) -> str | None:
    study = comparison.study
    if study.full is None:
        return None
    said = (
        f"Trained on the whole pool, {study.metric_title} is {study.full.mean():.3f} "
        f"(mean of {html.count(len(study.seeds), 'seed')}, {study.full.min():.3f} to "
        f"{study.full.max():.3f})."
    )
    if study.target is not None:
        said += f" Labels are counted to a target of {study.target.mean():.3f} on average."
    return said
