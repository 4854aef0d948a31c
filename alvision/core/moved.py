"""Old names of modules that users hold in their own code: they still work, with a warning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "alvision.acquisition.conformance": "alvision.acquisition.testing.conformance",
    "alvision.delivery": "alvision.deploy",
    "alvision.delivery.bundle": "alvision.deploy.bundle.bundle",
    "alvision.delivery.predict": "alvision.deploy.bundle.predict",
    "alvision.delivery.threshold": "alvision.deploy.threshold.cutoffs",
    "alvision.errors": "alvision.core.errors",
    "alvision.learner": "alvision.training",
    "alvision.records": "alvision.core.records",
    "alvision.round_files": "alvision.run_folder.round_files",
    "alvision.rounds": "alvision.core.rounds",
    "alvision.seeding": "alvision.core.seeding",
}
"""Each documented old name and its new one. Remove an entry only in a release that says so."""


class _OldNames:
    # Not a subclass of importlib.abc's classes: `alvision --help` would pay for their import.

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MOVED:
            return None
        package = fullname == "alvision.delivery"
        return ModuleSpec(fullname, self, is_package=package)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None  # an ordinary module

    def exec_module(self, module: ModuleType) -> None:
        new = import_module(MOVED[module.__name__])
        warnings.warn(
            f"{module.__name__} is now {new.__name__}; the old name will go",
            DeprecationWarning,
            stacklevel=2,
        )
        # A copy of the names: the import system writes into the module that it is given.
        own = {name: value for name, value in vars(new).items() if not name.startswith("__")}
        module.__dict__.update(own)


def keep_old_names() -> None:
    """Let the old names be imported; a second call changes nothing."""
    if not any(isinstance(finder, _OldNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, _OldNames())  # before a folder that an old checkout left
