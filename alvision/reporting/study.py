"""The report of a study: what was compared, what it shows, and the runs behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.evaluation.curves import Band, band
from alvision.reporting import figures, page, summary
from alvision.reporting.folder import RunFolder, read
from alvision.reporting.run import gallery
from alvision.study.collect import FULL, collect, run_folder
from alvision.study.statistics import LEVEL, Ratio
from alvision.study.summary import Comparison, Row, summarise
from alvision.study.verdict import outcome, sentence, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest

ROUNDS_SHOWN = 3
PICTURES_A_ROUND = 12
PICTURES = 300
"""Most pictures of the page: some 1.3 MB."""


def write(
    folder: Path | str,
    comparison: Comparison | None = None,
    manifest: Manifest | None = None,
    spec: ImageSpec | None = None,
) -> Path:
    """Write `report.html` into a study's folder.

    Args:
        folder: The study's folder.
        comparison: Its numbers; None computes them from the runs' files.
        manifest: Where the pictures are; None shows placeholders.
        spec: The evaluation transform, so that pictures look as the network sees them.

    Raises:
        UserError: The folder holds no study, or runs that cannot be compared.
    """
    folder = Path(folder)
    comparison = comparison or summarise(collect(folder))
    thumbnails = page.Thumbnails(manifest, spec, budget=PICTURES)
    html = page.render("study.html", **_content(folder, comparison, thumbnails))
    return page.save(folder / "report.html", html)


def figure(comparison: Comparison, path: Path | str) -> Path:
    """Write the learning curves with their bands as a picture, `.png` or `.svg`, under 150 kB."""
    return figures.save(_curves(comparison), Path(path))


def _content(folder: Path, comparison: Comparison, thumbnails: page.Thumbnails) -> dict[str, Any]:
    study = comparison.study
    runs = {name: read(run_folder(folder, name, study.seeds[0])) for name in study.acquisitions}
    first = next(iter(runs.values()))
    colours = _colours(comparison)
    return {
        "name": summary.name_of(first),
        "verdict": verdict(comparison),
        "metric": study.metric_title,
        "seeds": study.seeds,
        "baseline": study.baseline,
        "rows": [
            _row(row, comparison, figures.variable(colours[row.acquisition]))
            for row in comparison.rows
        ],
        "chart": figures.inline(_curves(comparison), title=f"{study.metric_title} over answers"),
        "differences": _differences(comparison),
        "full": _full(comparison),
        "detectable": _detectable(comparison),
        "level": LEVEL,
        "needed": comparison.seeds_needed,
        "galleries": [
            {
                "name": name,
                "colour": figures.variable(colours[name]),
                "rounds": [
                    gallery(rnd, summary.words(run), thumbnails, PICTURES_A_ROUND)
                    for rnd in run.rounds[1 : 1 + ROUNDS_SHOWN]
                ],
            }
            for name, run in runs.items()
        ],
        "facts": _facts(first, comparison),
        "command": _command(first, comparison),
        "versions": first.experiment.get("versions") or {},
        "links": _links(folder, comparison),
    }


def _row(row: Row, comparison: Comparison, colour: str) -> dict[str, Any]:
    return {
        "name": row.acquisition,
        "colour": colour,
        "outcome": outcome(row),
        "sentence": sentence(row, comparison),
        "seeds": row.seeds,
        "aubc": row.aubc,
        "labels": row.labels_to_target,
        "missed": row.missed if comparison.study.target is not None else 0,
        "ratio": _times(row.ratio),
        "difference": row.difference,
        "p_value": row.p_value,
    }


def _times(ratio: Ratio | None) -> tuple[str, str] | None:
    """Write a ratio and its interval; an end that is not known is left open."""
    if ratio is None:
        return None
    bound = {"exact": "", "at least": "≥ ", "at most": "≤ "}[ratio.bound]
    low, high = page.number(ratio.low, 2), page.number(ratio.high, 2)
    if ratio.low is None:
        interval = f"up to {high}"
    else:
        interval = f"{low} up" if ratio.high is None else f"{low} to {high}"
    return f"{bound}{ratio.value:.2f} ×", interval


def _colours(comparison: Comparison) -> dict[str, str]:
    others = [row.acquisition for row in comparison.others]
    colours = {
        name: figures.SERIES[place % len(figures.SERIES)] for place, name in enumerate(others)
    }
    return {comparison.study.baseline or "": figures.RANDOM, **colours}


def _bands(comparison: Comparison) -> Mapping[str, Band]:
    study = comparison.study
    return {name: band(list(study.answers), list(curves)) for name, curves in study.values.items()}


def _curves(comparison: Comparison) -> Figure:
    study = comparison.study
    colours = _colours(comparison)
    bands = _bands(comparison)
    order = sorted(study.acquisitions, key=lambda name: name != study.baseline)
    lines = [
        figures.Curve(
            name,
            bands[name].answers.tolist(),
            bands[name].mean.tolist(),
            bands[name].low.tolist(),
            bands[name].high.tolist(),
            colours[name],
        )
        for name in order
    ]
    levels = {}
    if study.full is not None:
        levels["all labels"] = float(study.full.mean())
    return figures.curves(
        lines,
        x_label="answers given",
        y_label=f"{study.metric_title}, mean of {page.count(len(study.seeds), 'seed')}",
        levels=levels,
    )


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
        f"(mean of {page.count(len(study.seeds), 'seed')}, {study.full.min():.3f} to "
        f"{study.full.max():.3f})."
    )
    if study.target is not None:
        said += f" Labels are counted to a target of {study.target.mean():.3f} on average."
    return said


def _facts(run: RunFolder, comparison: Comparison) -> list[tuple[str, str]]:
    study = comparison.study
    metrics = (run.finished[-1].metrics or {}) if run.finished else {}
    seeds = ", ".join(map(str, study.seeds))
    group_by = str(run.setting("data", "group_by", default="none"))
    answers = study.answers[0]
    pool = _pool(run, study.folder, study.seeds[0])
    facts = [
        ("data", run.choices.get("data", "")),
        ("model", run.choices.get("model", "")),
        ("training", str(run.setting("model", "training", default=""))),
        ("passes", str(run.setting("model", "passes", default=""))),
        ("cold start", run.choices.get("cold_start", "")),
        ("pool", f"{pool:,} images (first seed)" if pool else ""),
        ("held out", f"{metrics['n']:,} images (first seed)" if metrics.get("n") else ""),
        ("groups", "each image alone" if group_by == "none" else f"kept whole, by {group_by}"),
        ("answers", f"{answers[0]:,.0f} at the start, {answers[-1]:,.0f} at the end"),
        ("rounds", f"{len(answers) - 1} after the cold start"),
        ("seeds", f"{seeds}: a seed's first labels and split are the same for every strategy"),
        ("classes", ", ".join(run.classes)),
    ]
    return [(name, value) for name, value in facts if value]


def _pool(run: RunFolder, folder: Path, seed: int) -> int | None:
    """Return the pool's size: what the fit on the whole pool was given."""
    full = run_folder(folder, FULL, seed)
    if not full.exists():
        return None
    finished = read(full).finished
    return finished[-1].metrics["labels"] if finished and finished[-1].metrics else None


def _command(run: RunFolder, comparison: Comparison) -> str | None:
    """Return the command line of the whole study, made from that of one of its runs."""
    words = re.findall(r"(?:'[^']*'|\"[^\"]*\"|\S)+", str(run.experiment.get("command") or ""))
    if words[1:2] != ["run"]:
        return None
    study = comparison.study
    own = ("acquisition=", "seed=", "out=")
    kept = [word for word in words[2:] if not word.lstrip("'\"").startswith(own)]
    names = ",".join(study.acquisitions)
    asked = [f'"acquisition=[{names}]"', f"seeds={len(study.seeds)}"]
    out = f"out={study.folder.as_posix()}"
    asked.append(f'"{out}"' if re.search(r"[^\w./:=-]", out) else out)
    return " ".join([words[0], "compare", *kept, *asked])


def _links(folder: Path, comparison: Comparison) -> list[tuple[str, list[tuple[int, str]]]]:
    study = comparison.study
    names = [*study.acquisitions, *([FULL] if study.full is not None else [])]
    return [
        (
            name,
            [(seed, f"{run_folder('.', name, seed).as_posix()}/") for seed in study.seeds],
        )
        for name in names
    ]
