"""Real parts that a machine may lack: skipped on a contributor's, a failure where all must be."""

import importlib
import os
from types import ModuleType
from typing import NoReturn

import pytest


def missing(part: str) -> NoReturn:
    """End a test, or the import of its module, that needs a part which is not here."""
    if os.environ.get("ALVISION_ALL_PARTS"):
        pytest.fail(f"{part} is missing", pytrace=False)
    pytest.skip(f"{part} is missing", allow_module_level=True)


def imported(name: str) -> ModuleType:
    """Import a package of an extra."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(name)
