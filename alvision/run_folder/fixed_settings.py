"""Which settings a begun run may change, and why it may not change the others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from alvision.core.errors import UserError
from alvision.core.rounds import DOCUMENT, claim, read_document
from alvision.run_folder.initial_model import keep

MAY_CHANGE = (
    "budget.rounds",
    "budget.stop",
    "advice",
    "target",
    "page",
    "trainer.devices",
    "trainer.strategy",
    "trainer.accelerator",
    "trainer.num_workers",
    "data.root",
    "labels.url",
    "labels.experts",
    "out",
    "debug",
    "logger",
    "name",
    "classes",
    "defects",
)
"""Settings that every run may change, by key or group; `classes` may only grow, see `claim_run`."""

PEOPLE_MAY_CHANGE = ("budget", "labels.votes", "labels.gold", "cold_start")
"""Settings that a run which people answer may change too: they say how much people do, and how the
first images are chosen, which leaves no trace in a curve that begins after them."""

_CURVE = "the learning curve would mix two ways of working"
_SIMULATED = "a study compares runs of one budget"
WHY_FIXED = {
    "seed": "the split, the cold start and every draw follow from it",
    "data": "the rounds would be about other images",
    "data.group_by": "groups say which images are held out",
    "data.group_pattern": "groups say which images are held out",
    "data.group_column": "groups say which images are held out",
    "data.burst_seconds": "groups say which images are held out",
    "data.fold": "it says which images are held out",
    "data.split_column": "it says which images are held out",
    "data.image": "every model of the run must see the images in one way",
    "data.defect_share": "it says which images are in the pool",
    "audit.share": "images that were trained on cannot be held out afterwards",
    "model": _CURVE,
    "trainer": _CURVE,
    "acquisition": _CURVE,
    "cold_start": _CURVE,
    "oracle": "who answers says where the labels are and what is held out",
    "metrics": "metrics.csv has the same columns in every round",
    "budget": _SIMULATED,
    "labels.votes": _SIMULATED,
    "labels.noise": _CURVE,
    "labels.gold": _SIMULATED,
}
"""Why the others are fixed, by key or group; the longest name that fits counts."""

ADDED = {
    "data.source": None,
    "data.image_column": None,
    "data.text_column": None,
    "data.text_model": None,
    "data.image.fit": "squash",
    "data.image.page": None,
    "data.image.roi": None,
    "data.image.tiles": None,
    "labels.gold": 0.0,
    "labels.noise": "off",
    "metrics": None,
    "model.init": None,
    "model.semi": None,
    "oracle.control": 0.0,
    "trainer.accumulate": 1,
    "trainer.callbacks": None,
    "trainer.gradient_clip": None,
    "trainer.loss": None,
    "trainer.optimizer": None,
    "trainer.schedule": None,
}
"""Keys that earlier run folders lack, each with the value that means what was done before there was
the key. There it is left out: a run keeps its identity, and with it the uuids of its answers, over
versions."""

FINETUNING = (
    "trainer.epochs",
    "trainer.learning_rate",
    "trainer.validation_share",
    "trainer.patience",
    "trainer.augment",
    "trainer.accumulate",
)
"""Settings that only a finetuned network reads. Frozen rounds are the same whatever they are."""


def why_fixed(key: str, *, people: bool) -> str | None:
    """Say why a begun run may not change a setting; None where it may.

    Args:
        key: Its name, `budget.batch`.
        people: People answer; else the run is simulated.

    >>> why_fixed("trainer.epochs", people=True), why_fixed("budget.batch", people=True)
    ('the learning curve would mix two ways of working', None)
    """
    if any(_within(key, name) for name in (*MAY_CHANGE, *(PEOPLE_MAY_CHANGE if people else ()))):
        return None
    return WHY_FIXED[max((name for name in WHY_FIXED if _within(key, name)), key=len)]


def claim_run(root: Path, described: dict[str, Any], *, people: bool) -> dict[str, Any]:
    """Take a run's folder for a configuration, or refuse it, see `core.rounds.claim`.

    Args:
        root: The folder.
        described: What `describe_run` says of the configuration.
        people: People answer, and may take a defect's mark off a class again.

    Raises:
        UserError: The folder holds a run with another value of a fixed setting, or with a class
            that is gone; or a simulated run of other images.
    """
    if (root / DOCUMENT).exists():
        stored = read_document(root)
        _refuse_other_images(root, stored, described)
        if _frozen(stored["fingerprint"]) and _frozen(described["fingerprint"]):
            described = _with_finetuning_of(stored, described)
    document = claim(
        root,
        described,
        fixed=partial(why_fixed, people=people),
        absent=ADDED,
        may_lose=("defects",) if people else (),
        # The report and whoever reads the folder speak of what people changed.
        renewed=("config", "fingerprint") if people else (),
    )
    keep(described["config"]["model"]["init"], root)
    return document


def read_by_rounds(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a fingerprint that its rounds read.

    Args:
        fingerprint: Values by key, of `experiment.yaml`.

    >>> read_by_rounds({"model.training": "frozen", "trainer.epochs": 30, "seed": 0})
    {'model.training': 'frozen', 'seed': 0}
    """
    if not _frozen(fingerprint):
        return dict(fingerprint)
    return {key: value for key, value in fingerprint.items() if not _finetunes(key)}


def _with_finetuning_of(stored: Mapping[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """Return what a configuration says with the settings of finetuning that a folder has.

    The final model stays trained as it was first asked for. Only where it was frozen and may be
    finetuned from now on (`auto`), its settings are those of today: nothing has read the others.
    """
    kept = {key: value for key, value in stored["fingerprint"].items() if _finetunes(key)}
    config, before = described["config"], stored["config"]
    if before["model"]["training"] == "auto" or config["model"]["training"] == "frozen":
        names = [name.removeprefix("trainer.") for name in FINETUNING]
        own = {name: before["trainer"][name] for name in names if name in before["trainer"]}
        config = config | {"trainer": config["trainer"] | own}
    fingerprint = read_by_rounds(described["fingerprint"]) | kept
    return described | {"config": config, "fingerprint": fingerprint}


def _frozen(fingerprint: Mapping[str, Any]) -> bool:
    return fingerprint.get("model.training") == "frozen"


def _finetunes(key: str) -> bool:
    return any(_within(key, name) for name in FINETUNING)


def _refuse_other_images(
    root: Path, stored: Mapping[str, Any], described: Mapping[str, Any]
) -> None:
    """Refuse to go on with a simulated run whose images or classes have changed since it began."""
    before, now = stored.get("manifest"), described["manifest"]
    if before and now and before != now:  # people's runs go on with the images of today
        raise UserError(
            f"{root} was begun with other images: since then some were added, removed or replaced, "
            "or have another class. Put them back, or give another out="
        )


def _within(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")
