"""The version, and the folder of the configurations, in a checkout and in an installed package."""

from pathlib import Path

__version__ = "0.1.0"

_PACKAGE = Path(__file__).parent.parent
_PACKAGED = _PACKAGE / "configs"
CONFIG_DIR = _PACKAGED if _PACKAGED.is_dir() else _PACKAGE.parent / "configs"
