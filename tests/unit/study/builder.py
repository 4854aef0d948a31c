"""Write the files of a study, as the runs would."""

from pathlib import Path

import numpy as np
import yaml

from alvision.evaluation.metrics import metric, metric_names
from alvision.run_folder.round_files import write_metrics_table
from alvision.study.collect import Study, run_folder

ROUNDS = 13


def curve(level: float, rng: np.random.Generator, *, noise: float = 0.004) -> np.ndarray:
    """Return a learning curve that nears `level` over rounds of 20 answers."""
    answers = 20.0 * np.arange(1, ROUNDS + 1)
    return level * (1 - np.exp(-answers / 90)) + rng.normal(0, noise, ROUNDS)


def study(
    effects: dict[str, float], *, seeds: int = 8, noise: float = 0.004, seed: int = 0
) -> Study:
    """Return a study where an acquisition's curves are higher than random's by its effect."""
    rng = np.random.default_rng(seed)
    split = rng.normal(0, 0.03, seeds)
    names = ("random_sampling", *effects)
    values = {
        name: np.stack([curve(0.8, rng, noise=noise) + s + effects.get(name, 0.0) for s in split])
        for name in names
    }
    full = 0.8 + split
    return Study(
        folder=Path("study"),
        metric=metric("macro_f1"),
        acquisitions=names,
        baseline="random_sampling",
        seeds=tuple(range(seeds)),
        answers=np.tile(20.0 * np.arange(1, ROUNDS + 1), (seeds, 1)),
        values=values,
        full=full,
        target=0.9 * full,
    )


def write_run(
    out: Path, name: str, seed: int, values, *, manifest=None, features=None, **changes
) -> Path:
    """Write a run's experiment.yaml and metrics.csv; `changes` go into its fingerprint."""
    folder = run_folder(out, name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    fingerprint = {
        "seed": seed,
        "model.backbone": "resnet18",
        "budget.batch": 20,
        "acquisition": {"_target_": name},
        **changes,
    }
    document = {
        "manifest": manifest,
        "features": features,
        "run": f"{name}-{seed}",
        "fingerprint": fingerprint,
        "classes": ["ok", "worn"],
        "defects": None,
        "config": {"target": {"metric": "macro_f1", "value": None}},
        "choices": {"acquisition": name},
    }
    text = yaml.dump(
        document, sort_keys=False, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    )
    (folder / "experiment.yaml").write_text(text, encoding="utf-8")
    history = [
        {"round": k, "labels": 20 * (k + 1), "answers": 20 * (k + 1), "macro_f1": float(value)}
        for k, value in enumerate(values)
    ]
    write_metrics_table(folder / "metrics.csv", history, metric_names())
    return folder


def write_study(out: Path, found: Study) -> Path:
    """Write every run of a study."""
    for name in found.acquisitions:
        for seed, values in zip(found.seeds, found.values[name], strict=True):
            write_run(out, name, seed, values)
    for seed, score in zip(found.seeds, found.full, strict=True):
        write_run(out, "full", seed, [score], **{"budget.initial": "all", "budget.batch": 0})
    return out
