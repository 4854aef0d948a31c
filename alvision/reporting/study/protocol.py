"""What a study's page says of its protocol: data, model, budget, command, runs."""

from __future__ import annotations

import shlex
from pathlib import Path

from alvision.core import shell
from alvision.reporting.run.folder import RunFolder, read
from alvision.study.collect import FULL, THROUGHOUT, run_folder
from alvision.study.summary import Comparison


def facts(run: RunFolder, comparison: Comparison) -> list[tuple[str, str]]:
    """Return the protocol by name, from the first run."""
    study = comparison.study
    metrics = (run.finished[-1].metrics or {}) if run.finished else {}
    seeds = ", ".join(map(str, study.seeds))
    group_by = str(run.setting("data", "group_by", default="none"))
    answers = study.answers[0]
    pool = _pool(run, study.folder, study.seeds[0])
    known = [
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
        ("seeds", f"{seeds}: a seed's {_same(comparison)}"),
        ("classes", ", ".join(run.classes)),
    ]
    return [(name, value) for name, value in known if value]


def _same(comparison: Comparison) -> str:
    """Say what the runs of a seed have in common."""
    if THROUGHOUT in comparison.study.acquisitions:
        return (
            "split is the same for every strategy, and so are its first labels, but those of "
            f"{THROUGHOUT}"
        )
    return "first labels and split are the same for every strategy"


def _pool(run: RunFolder, folder: Path, seed: int) -> int | None:
    """Return the pool's size: what the fit on the whole pool was given."""
    full = run_folder(folder, FULL, seed)
    if not full.exists():
        return None
    finished = read(full).finished
    return finished[-1].metrics["labels"] if finished and finished[-1].metrics else None


def command(run: RunFolder, comparison: Comparison) -> str | None:
    """Return the command line of the whole study, made from that of one of its runs."""
    words = shlex.split(str(run.experiment.get("command") or ""))
    if words[1:2] != ["run"]:
        return None
    study = comparison.study
    own = ("acquisition=", "seed=", "out=")
    kept = [word for word in words[2:] if not word.startswith(own)]
    names = ",".join(name for name in study.acquisitions if name != THROUGHOUT)
    asked = [f"acquisition=[{names}]", f"seeds={len(study.seeds)}"]
    out = f"out={study.folder.as_posix()}"
    return shell.command(words[0], "compare", *kept, *asked, out)


def links(folder: Path, comparison: Comparison) -> list[tuple[str, list[tuple[int, str]]]]:
    """Return the runs' folders, by acquisition and seed."""
    study = comparison.study
    names = [*study.acquisitions, *([FULL] if study.full is not None else [])]
    return [
        (
            name,
            [(seed, f"{run_folder('.', name, seed).as_posix()}/") for seed in study.seeds],
        )
        for name in names
    ]
