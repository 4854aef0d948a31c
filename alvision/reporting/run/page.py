"""The report of a run: one HTML file, rebuilt from the run's folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.advice.sentences import advise
from alvision.core import shell
from alvision.core.records import QueryRow, SampleId
from alvision.evaluation.metrics import metric
from alvision.reporting import figures, html
from alvision.reporting.run import summary
from alvision.reporting.run.folder import ImageAnswer, RoundFiles, RunFolder, answers_by_image, read

if TYPE_CHECKING:
    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest

PICTURES_A_ROUND = 60
PICTURES = 480
"""Most pictures of a round, and of the page: some 2 MB."""
ROWS = 200
"""Most rows of a table of images."""


def write(
    folder: Path | str, manifest: Manifest | None = None, spec: ImageSpec | None = None
) -> Path:
    """Write `report.html` into a run's folder, from the files that lie there.

    Args:
        folder: The run's folder; a run that is still going is reported as far as it got.
        manifest: Where the pictures are; None shows placeholders.
        spec: The evaluation transform, so that pictures look as the network sees them.

    Raises:
        UserError: The folder is not a run's, or one of its files is damaged.
    """
    run = read(folder)
    thumbnails = html.Thumbnails(manifest, spec, budget=PICTURES)
    text = html.render("run.html", **_content(run, thumbnails))
    return html.save(run.root / "report.html", text)


def gallery(
    rnd: RoundFiles, known: Mapping[SampleId, ImageAnswer], thumbnails: html.Thumbnails, limit: int
) -> dict[str, Any]:
    """Return what a page shows of a round's pictures: `cards`, and how many more there are."""
    cards = [
        card(row, known.get(row.id), thumbnails, rnd.maps.get(row.id)) for row in rnd.query[:limit]
    ]
    return {
        "number": rnd.number,
        "cards": cards,
        "asked": len(rnd.query),
        "more": len(rnd.query) - len(cards),
        "wrong": sum(shown["right"] is False for shown in cards),
    }


def card(
    row: QueryRow,
    answer: ImageAnswer | None,
    thumbnails: html.Thumbnails,
    map: Path | None = None,
) -> dict[str, Any]:
    """Return what a page shows of one chosen picture, with a map over it where there is one."""
    return {
        "id": row.id,
        "address": thumbnails.address(row.id, row.sha256, map),
        "answer": (answer.label or answer.kind) if answer else None,
        "prediction": row.prediction,
        "right": summary.verdict(row.prediction, answer),
        "reason": row.reason,
        "slot": "" if row.slot == "acquisition" else row.slot.replace("_", " "),
    }


def _content(run: RunFolder, thumbnails: html.Thumbnails) -> dict[str, Any]:
    known = answers_by_image(run)
    last = run.finished[-1] if run.finished else None
    metrics = (last.metrics if last else None) or {}
    classes = summary.class_rows(run)
    limit = max(6, min(PICTURES_A_ROUND, PICTURES // max(1, len(run.rounds))))
    newest_first = sorted(run.rounds, key=lambda rnd: rnd.number, reverse=True)
    return {
        "name": summary.name_of(run),
        "acquisition": run.choices.get("acquisition", ""),
        "seed": run.setting("seed", default=0),
        "sentences": summary.sentences(run),
        "advice": [str(sentence) for sentence in advise(summary.facts(run))],
        "note": run.note,
        "target": _target(run),
        "tiles": _tiles(run, metrics, classes),
        "chart": _chart(run),
        "metrics": [(known.name, known.title) for known in summary.metrics_shown(run)],
        "rounds": summary.round_rows(run),
        "classes": classes,
        "rarest": next((row for row in classes if row.rarest), None),
        "held_out": metrics.get("n") or 0,
        "other_answers": _other_answers(known),
        "confusion": summary.confusion(last),
        "audit": summary.audit_rows(last),
        "contest": run.contest,
        "galleries": [gallery(rnd, known, thumbnails, limit) for rnd in newest_first if rnd.query],
        "set_aside": list(run.set_aside.items())[:ROWS],
        "set_aside_more": max(0, len(run.set_aside) - ROWS),
        "conflicts": [(id, answer) for id, answer in known.items() if answer.conflict][:ROWS],
        "command": run.experiment.get("command"),
        "rebuild": shell.command("alvision", "report", f"out={run.root}"),
        "versions": run.experiment.get("versions") or {},
        "choices": run.choices,
        "files": _files(run),
    }


def _tiles(
    run: RunFolder, metrics: Mapping[str, Any], classes: list[summary.ClassRow]
) -> list[tuple[str, str, str]]:
    if not metrics:
        return []
    known = metrics.get("macro_f1") is not None
    on = f"mean over the classes, {html.count(metrics.get('n') or 0, 'held-out image')}"
    tiles = [
        ("answers given", html.number(metrics["answers"]), f"{metrics['labels']:,} trained on"),
        (
            "macro-F1",
            html.number(metrics.get("macro_f1")),
            on if known else summary.without_score(run, metrics),
        ),
    ]
    if run.target.name != "macro_f1":
        tiles.append((run.target.title, html.number(metrics.get(run.target.name)), "target"))
    rarest = next((row for row in classes if row.rarest), None)
    if rarest and rarest.scores.get("recall") is not None:
        support = html.count(rarest.scores["support"], "held-out image")
        tiles.append((f"recall of {rarest.name}", html.number(rarest.scores["recall"]), support))
    if metrics.get("escape_rate") is not None:
        tiles.append(("escape rate", html.number(metrics["escape_rate"]), "defects called good"))
        tiles.append(("overkill rate", html.number(metrics["overkill_rate"]), "good called defect"))
    return tiles


def _target(run: RunFolder) -> str | None:
    value = run.setting("target", "value")
    if value is None:
        return None
    reached = [
        rnd.metrics["answers"]
        for rnd in run.finished
        if rnd.metrics and (rnd.metrics.get(run.target.name) or 0) >= value
    ]
    said = f"The target, {run.target.title} {html.number(float(value))},"
    if not reached:
        return f"{said} is not reached yet."
    return f"{said} was first reached after {html.count(reached[0], 'answer')}."


def _chart(run: RunFolder) -> str | None:
    rows = [rnd.metrics or {} for rnd in run.finished]
    shown = list(dict.fromkeys((metric("macro_f1"), run.target)))
    if not any(row.get(known.name) is not None for row in rows for known in shown):
        return None
    lines = [
        figures.Curve(
            known.title,
            [row["answers"] for row in rows],
            [row.get(known.name) for row in rows],
            colour=figures.SERIES[place],
        )
        for place, known in enumerate(shown)
    ]
    value = run.setting("target", "value")
    levels = {} if value is None else {f"target {float(value):.3g}": float(value)}
    figure = figures.curves(lines, x_label="answers given", y_label="held-out score", levels=levels)
    return figures.inline(figure, title="Learning curve: score over answers given")


def _other_answers(known: Mapping[SampleId, ImageAnswer]) -> str | None:
    amounts = [
        html.count(amount, "image") + f" answered “{kind}”"
        for kind in ("skip", "unsure")
        if (amount := sum(answer.kind == kind for answer in known.values()))
    ]
    return " and ".join(amounts) or None


def _files(run: RunFolder) -> list[tuple[str, str]]:
    last = f"rounds/{run.rounds[-1].number:03d}" if run.rounds else "rounds"
    known = {
        "experiment.yaml": "the configuration, the classes and the versions",
        "metrics.csv": "every round's metrics",
        f"{last}/query.csv": "what the last round asked for, and why",
        f"{last}/answers.csv": "what was answered",
        f"{last}/predictions.parquet": "the last model's probabilities on the held-out images",
        f"{last}/model.ckpt": "the last model",
        "final/model.json": "the final model: its labels, its figures and how its kind was chosen",
        "set_aside.csv": "images that could not be read",
        "labels.db": "the event log of all labels",
        "tensorboard": "the same for TensorBoard",
    }
    return [(name, what) for name, what in known.items() if (run.root / name).exists()]
