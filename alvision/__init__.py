"""Deep-learning active learning for image defect inspection."""

from pathlib import Path

__version__ = "0.1.0"

_PACKAGED = Path(__file__).parent / "configs"
CONFIG_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent / "configs"
