"""What `experiment.yaml` says about a run."""

from __future__ import annotations

import hashlib
import json
import platform
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core.version import __version__
from alvision.evaluation.metrics import described, metrics_of
from alvision.run_folder.fixed_settings import ADDED, why_fixed
from alvision.run_folder.initial_model import content_hash

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

STANDARDISED = "standardised"
"""What a run's heads are trained on; runs of an early version do not name it, and were trained on
features as they are."""


def describe_run(
    config: RunConfig,
    choices: Mapping[str, str | None],
    command: str,
    *,
    classes: Sequence[str],
    precision: str | None = None,
    anonymous: bool,
    manifest: str | None = None,
) -> dict[str, Any]:
    """Return the content of `experiment.yaml` as plain data.

    Args:
        config: The configuration as it was given.
        choices: What was chosen in each configuration group.
        command: The command line that makes this run.
        classes: The classes, those of the data if the configuration names none.
        precision: The precision that was settled on; None: as configured.
        anonymous: Give the run a random identity (people answer) rather than its fingerprint's.
        manifest: Content hash of the data of a simulated run; a study's runs must share it.
    """
    trainer = replace(config.trainer, precision=precision or config.trainer.precision)
    settled = replace(config, classes=list(classes), trainer=trainer)
    plain = asdict(settled)
    flat = {
        key: value
        for key, value in _flatten(plain).items()
        if why_fixed(key, people=anonymous) is not None
        and not (key in ADDED and value == ADDED[key])
    }
    if flat["model.training"] == "auto":
        flat["model.training"] = "frozen"  # what its rounds are
    if config.model.init is not None:  # what is in the folder counts, and not where it is
        flat["model.init"] = content_hash(config.model.init, Path(str(config.out)))
    own = described(metrics_of(config.metrics))
    digest = hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()
    return {
        "run": str(uuid.uuid4()) if anonymous else digest[:32],
        "command": command,
        "versions": {
            "alvision": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torchvision", "timm", "numpy")},
        },
        "choices": dict(choices),
        "manifest": manifest,
        "classes": list(classes),
        "defects": config.defects,
        **({"metrics": own} if own else {}),
        "config": plain,
        "fingerprint": flat,
        "features": STANDARDISED,
    }


def _flatten(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
