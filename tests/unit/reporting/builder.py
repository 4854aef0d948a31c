"""Build the folder of a run or a study as the loop leaves it, with generated pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from alvision.core.records import Answers, Event, Query, QueryRow
from alvision.evaluation.metrics import evaluate, metric_names
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.run_folder.round_files import AnswersFile, MetricsFile, QueryFile, write_metrics_table
from tests.conftest import paint


@dataclass
class Pictures:
    """The part of a manifest that a report asks for."""

    root: Path
    features: None = None

    def path(self, sample: str) -> Path:
        """Return where the image lies."""
        return self.root / sample


def draw(root: Path, ids, label_of, side: int = 48) -> Pictures:
    """Draw a picture for each id."""
    for number, sample in enumerate(ids):
        (root / sample).parent.mkdir(parents=True, exist_ok=True)
        paint(number, label_of(sample), side).save(root / sample)
    return Pictures(root)


def run_folder(
    root: Path,
    *,
    acquisition: str = "margin",
    seed: int = 0,
    classes: tuple[str, ...] = ("ok", "scratch", "inclusion"),
    defects: tuple[str, ...] | None = ("scratch", "inclusion"),
    rounds: int = 4,
    batch: int = 8,
    skill: float = 1.0,
    start: float = 1.2,
    held_out: int = 90,
    target: dict | None = None,
    name: str = "parts",
) -> Path:
    """Write a finished run; its model begins as good as `start` and learns as fast as `skill`."""
    root.mkdir(parents=True, exist_ok=True)
    document = {
        "run": "0123456789abcdef",
        "command": f"alvision run experiment={name} acquisition={acquisition} seed={seed}",
        "versions": {"alvision": "0.1.0", "torch": "2.9.0", "python": "3.12.1"},
        "choices": {
            "acquisition": acquisition,
            "model": "efficientnet_lite0",
            "data": "folder",
            "cold_start": "random",
            "oracle": "simulated",
        },
        "classes": list(classes),
        "defects": None if defects is None else list(defects),
        "config": {
            "name": name,
            "seed": seed,
            "acquisition": {"_target_": f"alvision.acquisition.{acquisition}"},
            "data": {"kind": "folder", "group_by": "parent", "root": "images"},
            "model": {"backbone": "tf_efficientnet_lite0", "training": "frozen", "passes": 20},
            "budget": {"initial": batch, "batch": batch, "rounds": rounds - 1, "audit": 0},
            "target": target or {"metric": "macro_f1", "value": None},
            "trainer": {"precision": "32-true", "num_workers": None},
        },
        "fingerprint": {"acquisition": acquisition, "seed": seed, "budget.batch": batch},
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    (root / "experiment.yaml").write_text(text, encoding="utf-8")
    rng = np.random.default_rng([seed, sum(map(ord, acquisition))])
    truth = rng.choice(len(classes), held_out, p=_shares(len(classes)))
    history, number = [], 0
    for rnd in range(rounds):
        folder = root / "rounds" / f"{rnd:03d}"
        folder.mkdir(parents=True)
        rows, events = [], []
        for rank in range(batch):
            label = classes[rng.choice(len(classes), p=_shares(len(classes)))]
            guess = label if rng.random() < 0.6 else classes[0]
            sample = f"line {rnd}/{label.strip('<>/')}/part_{rnd * batch + rank:04d}.png"
            number += 1
            events.append(
                Event(sample, "label", label, "truth", rnd, f"event {number}", number=number)
            )
            rows.append(_row(sample, rank, rnd, guess, classes, rng))
        QueryFile().write(Query(rnd, tuple(rows)), folder / "query.csv")
        AnswersFile().write(Answers(tuple(events), number), folder / "answers.csv")
        values = rng.normal(size=(held_out, len(classes)))
        values[np.arange(held_out), truth] += start + skill * (1 - np.exp(-0.5 * rnd)) * 2
        values = np.exp(values) / np.exp(values).sum(1, keepdims=True)
        ids = tuple(f"test/{i:04d}.png" for i in range(held_out))
        probabilities = ClassProbabilities(ids, classes, values)
        probabilities.write(folder / "predictions.parquet")
        labels = {sample: classes[k] for sample, k in zip(ids, truth, strict=True)}
        metrics = {
            "round": rnd,
            "labels": number,
            "answers": number,
            **evaluate(probabilities, labels, classes=classes, defects=defects),
        }
        MetricsFile().write(metrics, folder / "metrics.json")
        history.append(metrics)
    write_metrics_table(root / "metrics.csv", history, metric_names())
    return root


def study_folder(
    root: Path, skills: dict[str, float], *, seeds: int = 6, rounds: int = 5, full: bool = True
) -> Path:
    """Write a study with a run for each acquisition and seed, and a full fit for each seed."""
    for seed in range(seeds):
        for name, skill in skills.items():
            folder = root / name / f"seed-{seed}"
            run_folder(folder, acquisition=name, seed=seed, rounds=rounds, skill=skill)
        if full:
            run_folder(root / "full" / f"seed-{seed}", seed=seed, rounds=1, batch=64, start=4)
    return root


def _row(sample, rank, rnd, guess, classes, rng) -> QueryRow:
    if rnd == 0:
        return QueryRow(sample, rank, 0.5, "cold_start", 0.01, None, "drawn at random")
    share = 0.4 + 0.1 * rng.random()
    other = classes[-1] if guess == classes[0] else classes[0]
    reason = f"between {guess} ({share:.2f}) and {other} ({share - 0.02:.2f})"
    return QueryRow(sample, rank, float(rng.random()), "acquisition", None, guess, reason)


def _shares(count: int) -> np.ndarray:
    weights = 3.0 ** -np.arange(count)
    return weights / weights.sum()
