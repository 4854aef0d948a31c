"""Deep-learning active learning for image defect inspection."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

__version__ = "0.1.0"
__all__ = [
    "Experiment",
    "Run",
    "check",
    "compare",
    "export",
    "predict",
    "report",
    "run",
    "threshold",
    "train",
]

_PACKAGED = Path(__file__).parent / "configs"
CONFIG_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent / "configs"


def __getattr__(name: str) -> Any:
    # Imported by name and when it is asked for: the page and the loop know neither torch nor Hydra.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("alvision.api"), name)
