"""The final model: all labels that may be trained on, and an honest look at the monitor images."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.deploy.train.calibration import FEWEST, calibrated, fit_temperature, reliability
from alvision.deploy.train.labelled_data import LabelledData, load_labelled
from alvision.evaluation.metrics import evaluate, expected_calibration_error
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.loop.build import build_learner
from alvision.training import Learner
from alvision.training.checkpoint import Model

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

FOLDER = "final"
ROUND = -1
"""The final model's number where randomness asks for a round."""


@dataclass(frozen=True)
class Final:
    """A final model and what it was made with.

    Attributes:
        model: The model.
        learner: What trained it.
        labelled: Images and labels.
        about: What `final/model.json` says.
    """

    model: Model
    learner: Learner
    labelled: LabelledData
    about: dict[str, Any]


def train(config: RunConfig, root: Path, *, progress: bool = True) -> Final:
    """Train on every label that is not held out, and set the temperature on the monitor images.

    Writes `final/{model.ckpt,model.json,monitor.parquet,reliability.png}` into the run's folder.
    `monitor.parquet` holds the calibrated probabilities of the labelled monitor images.

    Args:
        config: The run's configuration, its classes settled.
        root: The run's folder.
        progress: Show a progress bar on a terminal.

    Raises:
        UserError: Fewer than two classes are labelled.
    """
    labelled = load_labelled(config)
    learner = _learner(config, labelled, progress)
    model = learner.fit(labelled.training, round=ROUND)
    if not model.fitted:
        raise UserError(
            "fewer than two classes are labelled, so there is nothing to tell apart: label more"
        )
    monitor = [id for id in labelled.split.monitor if id in labelled.held_out]
    raw = learner.predict(model, monitor)
    targets = np.array([model.classes.index(labelled.held_out[id]) for id in raw.ids], int)
    temperature = fit_temperature(raw.values, targets)
    told = ClassProbabilities(raw.ids, raw.classes, calibrated(raw.values, temperature))
    about = {
        "classes": list(model.classes),
        "defects": config.defects,
        "temperature": temperature,
        "labels": dict(sorted(Counter(labelled.training.values()).items())),
        "labels_hash": labelled.labels_hash,
        "data_hash": labelled.data_hash,
        "monitor": _judged(raw, told, labelled, config),
    }
    folder = root / FOLDER
    write_atomically(folder / "model.ckpt", lambda path: learner.save(model, path))
    write_atomically(folder / "monitor.parquet", told.write)
    write_atomically(folder / "reliability.png", lambda path: _plot(raw, told, targets, path))
    write_atomically(folder / "model.json", lambda path: _dump(about, path))
    return Final(model, learner, labelled, about)


def load(config: RunConfig, root: Path, *, progress: bool = True) -> Final:
    """Read back what `train` made.

    Raises:
        UserError: There is no final model in the run's folder.
    """
    path = root / FOLDER / "model.json"
    if not path.exists():
        raise UserError(f"{root} has no final model yet: alvision train out={root}")
    about = json.loads(path.read_text(encoding="utf-8"))
    labelled = load_labelled(config)
    learner = _learner(config, labelled, progress)
    return Final(learner.load(root / FOLDER / "model.ckpt"), learner, labelled, about)


def _learner(config: RunConfig, labelled: LabelledData, progress: bool) -> Learner:
    return build_learner(config, labelled.data, progress=progress)


def _judged(
    raw: ClassProbabilities, told: ClassProbabilities, labelled: LabelledData, config: RunConfig
) -> dict[str, Any]:
    """Judge the monitor images, before and after the temperature."""
    labels = {id: labelled.held_out[id] for id in raw.ids}
    judged = evaluate(told, labels, classes=told.classes, defects=config.defects)
    judged["ece_before"] = None
    if len(raw):
        right = raw.values.argmax(1) == [raw.classes.index(labels[id]) for id in raw.ids]
        judged["ece_before"] = expected_calibration_error(raw.values.max(1), right)
    judged["calibrated"] = len(raw) >= FEWEST
    return judged


def _plot(
    raw: ClassProbabilities, told: ClassProbabilities, targets: np.ndarray, path: Path
) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="said = right")
    for probabilities, name, style in ((raw, "before", "--"), (told, "calibrated", "-")):
        bins = reliability(probabilities.values, targets) if len(targets) else []
        said, right = [b.confidence for b in bins], [b.accuracy for b in bins]
        axes.plot(said, right, style, marker="o", markersize=4, label=name)
    axes.set(
        xlabel="probability of the called class",
        ylabel="share that is right",
        xlim=(0, 1.02),
        ylim=(0, 1.02),
        title=f"{len(targets)} monitor images, never trained on",
    )
    axes.legend(frameon=False)
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def _dump(about: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
