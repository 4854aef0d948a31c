"""Deep-learning active learning for image defect inspection."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alvision.core.moved import keep_old_names
from alvision.core.version import CONFIG_DIR, __version__

if TYPE_CHECKING:
    from alvision.api import (
        Experiment,
        Run,
        check,
        compare,
        export,
        predict,
        report,
        run,
        threshold,
        train,
    )
    from alvision.ask_tell import Asker

__all__ = [
    "CONFIG_DIR",
    "Asker",
    "Experiment",
    "Run",
    "__version__",
    "check",
    "compare",
    "export",
    "predict",
    "report",
    "run",
    "threshold",
    "train",
]

ROOMS = ("acquisition", "evaluation", "inference", "labels", "study")
"""The rooms that scripts use by their dotted name, `alvision.acquisition.bald`."""

keep_old_names()


def __getattr__(name: str) -> Any:
    # Imported when asked for: the page and the loop must start without torch and Hydra.
    if name == "Asker":
        return import_module("alvision.ask_tell").Asker
    if name in __all__:
        return getattr(import_module("alvision.api"), name)
    if name in ROOMS:
        return import_module(f"alvision.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
