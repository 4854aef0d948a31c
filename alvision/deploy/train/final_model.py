"""The final model: trained on every label that is not held out, measured on the monitor images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alvision.anomaly.memory import PatchMemory
from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.rounds import write_atomically
from alvision.core.shell import command
from alvision.deploy.train import good_only
from alvision.deploy.train.calibration import FEWEST, calibrated, fit_temperature, reliability
from alvision.deploy.train.good_only import GoodOnly
from alvision.deploy.train.labelled_data import LabelledData, load_labelled
from alvision.deploy.train.model_facts import ModelFacts, MonitorFigures
from alvision.evaluation.metrics import evaluate, expected_calibration_error
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.labels.classes import class_list
from alvision.loop.build import build_learner
from alvision.training import Learner
from alvision.training.checkpoint import Model
from alvision.training.contest import Contest, Say

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

FOLDER = "final"
ROUND = -1
"""The round that the final model's random numbers are derived from: no round of the loop has it."""


@dataclass(frozen=True)
class FinalModel:
    """A final model and what it was made from.

    Attributes:
        model: The model.
        learner: The learner that trained it.
        labelled: Images and labels.
        facts: The content of `final/model.json`.
        memory: What a model of good parts alone remembers; `model` is not fitted then.
    """

    model: Model
    learner: Learner
    labelled: LabelledData
    facts: ModelFacts
    memory: PatchMemory | None = None

    @property
    def learned_from(self) -> list[SampleId]:
        """Return the images that it has seen: of good parts alone the whole pool."""
        labelled = self.labelled
        return list(labelled.training if self.memory is None else labelled.split.pool)


def train(
    config: RunConfig, root: Path, *, progress: bool = True, say: Say = lambda line: None
) -> FinalModel:
    """Train on every label that is not held out, and set the temperature on the monitor images.

    Where one class of good parts alone is labelled, it is a memory of good parts, see `good_only`.

    Writes `final/{model.ckpt,model.json,monitor.parquet,reliability.png}` into the run's folder.
    `monitor.parquet` holds the calibrated probabilities of the labelled monitor images.

    Args:
        config: The run's configuration, its classes settled.
        root: The run's folder.
        progress: Show a progress bar on a terminal.
        say: Called with a line for the user, where the training is long.

    Raises:
        UserError: Fewer than two classes are labelled, and it is not a good one alone.
    """
    labelled, folder = load_labelled(config), root / FOLDER
    alone = good_only.only_good(labelled.training.values(), config.defects)
    learner = _learner(config, labelled, progress, as_exported=alone)
    monitor = [id for id in labelled.split.monitor if id in labelled.held_out]
    known: GoodOnly | None = None
    contest: Contest | None = None
    if alone:
        known = good_only.learn(learner, labelled, folder / good_only.FILE)
        model = Model(learner.classes, False)
        defects = [name in (config.defects or ()) for name in model.classes]
        ids, outputs = good_only.logits(learner, known, monitor, defects)
    else:
        model, contest = _fitted(config, learner, labelled.training, say)
        if not model.fitted:
            raise UserError(_nothing_to_tell_apart(labelled.training))
        ids, outputs = learner.logits(model, monitor)
    logits = outputs.numpy()
    targets = np.array([model.classes.index(labelled.held_out[id]) for id in ids], int)
    # What a memory says is no probability, and good parts alone cannot make it one.
    temperature = 1.0 if known else fit_temperature(logits, targets)
    raw, probabilities = (
        ClassProbabilities(ids, model.classes, calibrated(logits, t)) for t in (1.0, temperature)
    )
    facts = ModelFacts(
        classes=tuple(model.classes),
        defects=None if config.defects is None else tuple(config.defects),
        temperature=temperature,
        labels=dict(sorted(Counter(labelled.training.values()).items())),
        labels_hash=labelled.labels_hash,
        data_hash=labelled.data_hash,
        monitor=_figures(raw, probabilities, labelled, config, calibrated=known is None),
        contest=contest.to_json() if contest else None,
        memory=known.facts if known else None,
    )
    write_atomically(folder / "model.ckpt", lambda path: learner.save(model, path))
    write_atomically(folder / "monitor.parquet", probabilities.write)
    write_atomically(
        folder / "reliability.png", lambda path: _plot(raw, probabilities, targets, path)
    )
    # Last: `load` takes the folder for a whole model when this file is there.
    write_atomically(folder / "model.json", lambda path: _dump(facts, path))
    return FinalModel(model, learner, labelled, facts, known.memory if known else None)


def load(config: RunConfig, root: Path, *, progress: bool = True) -> FinalModel:
    """Read the final model that `train` wrote.

    Raises:
        UserError: There is no final model in the run's folder, or its memory is missing or was made
            of other patches.
    """
    path = root / FOLDER / "model.json"
    if not path.exists():
        raise UserError(
            f"{root} has no final model yet: {command('alvision', 'train', f'out={root}')}"
        )
    facts = ModelFacts.from_json(json.loads(path.read_text(encoding="utf-8")))
    labelled = load_labelled(config)
    learner = _learner(config, labelled, progress, as_exported=facts.memory is not None)
    written = root / FOLDER / "model.ckpt"
    learner.read_as(written)
    model = learner.load(written)
    if facts.memory is None:
        return FinalModel(model, learner, labelled, facts)
    memory = root / FOLDER / good_only.FILE
    if not memory.exists():  # one of today would not fit what `facts` says of it
        raise UserError(f"{memory} is missing: {command('alvision', 'train', f'out={root}')}")
    learner.read_novelty(memory)
    assert learner.novelty is not None
    return FinalModel(model, learner, labelled, facts, learner.novelty.memory)


def check_current(final: FinalModel, config: RunConfig) -> None:
    """Refuse a model that was trained for other classes, or other defects, than the run has now.

    Raises:
        UserError: Names the class.
    """
    with final.labelled.data.label_store() as store:
        merged = class_list(config.classes or (), store.events()).into
    facts, again = final.facts, f"alvision train out={config.out}, then export again"
    for name in config.classes or ():
        if name not in facts.classes:
            raise UserError(f"the class {name} was added after the model was trained: {again}")
    for name in facts.classes:
        if name not in (config.classes or ()):
            raise UserError(f"the model knows the class {name}, and the run does not: {again}")
        if facts.labels.get(name) and name in merged:
            raise UserError(
                f"{name} was merged into {merged[name]} after the model was trained: {again}"
            )
        if (name in (facts.defects or ())) != (name in (config.defects or ())):
            now = "a defect" if name in (config.defects or ()) else "no defect"
            raise UserError(f"{name} is {now} since the model was trained: {again}")


def _nothing_to_tell_apart(labels: Mapping[SampleId, str]) -> str:
    name = next(iter(labels.values()))
    classes, defects = f"classes=[{name},defect]", "defects=[defect]"
    return (
        "fewer than two classes are labelled, so there is nothing to tell apart: label more; or, "
        f"if {name} is what good parts are called, say what a bad one will be: "
        f'"{classes}" "{defects}"'
    )


def _fitted(
    config: RunConfig, learner: Learner, labels: Mapping[SampleId, str], say: Say
) -> tuple[Model, Contest | None]:
    """Train the model; with `model.training=auto` the kind that is best on the labelled images."""
    if config.model.training == "auto" and len(set(labels.values())) > 1:
        return learner.compete(labels, round=ROUND, say=say)
    return learner.fit(labels, round=ROUND), None


def _learner(
    config: RunConfig, labelled: LabelledData, progress: bool, *, as_exported: bool
) -> Learner:
    """Return what reads the images, in the precision of a bundle if asked.

    Whitening makes the rounding of half precision as large as what is unusual: what is usual in it
    is not usual in a bundle.
    """
    if as_exported:
        config = replace(config, trainer=replace(config.trainer, precision="32-true"))
    return build_learner(config, labelled.data, progress=progress)


def _figures(
    raw: ClassProbabilities,
    probabilities: ClassProbabilities,
    labelled: LabelledData,
    config: RunConfig,
    *,
    calibrated: bool,
) -> MonitorFigures:
    """Measure the model on the monitor images, before and after the temperature."""
    labels = {id: labelled.held_out[id] for id in raw.ids}
    found = evaluate(probabilities, labels, classes=raw.classes, defects=config.defects)
    found["ece_before"] = None
    if len(raw):
        right = raw.values.argmax(1) == [raw.classes.index(labels[id]) for id in raw.ids]
        found["ece_before"] = expected_calibration_error(raw.values.max(1), right)
    found["calibrated"] = calibrated and len(raw) >= FEWEST
    return MonitorFigures(found)


def _plot(
    raw: ClassProbabilities, scaled: ClassProbabilities, targets: np.ndarray, path: Path
) -> None:
    """Draw how often the called class is right, over the probability that it was given."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="perfect calibration")
    for probabilities, name, style in (
        (raw, "before", "--"),
        (scaled, "with the temperature", "-"),
    ):
        bins = reliability(probabilities.values, targets) if len(targets) else []
        confidence, right = [b.confidence for b in bins], [b.accuracy for b in bins]
        axes.plot(confidence, right, style, marker="o", markersize=4, label=name)
    axes.set(
        xlabel="probability of the called class",
        ylabel="share that is right",
        xlim=(0, 1.02),
        ylim=(0, 1.02),
        title=f"{len(targets)} monitor images, never trained on",
    )
    axes.legend(frameon=False)
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def _dump(facts: ModelFacts, path: Path) -> None:
    text = json.dumps(facts.to_json(), indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
