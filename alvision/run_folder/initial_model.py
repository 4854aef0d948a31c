"""The model that a run's networks start from: another run's, of which the run keeps a copy."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.rounds import DOCUMENT, read_document, write_atomically
from alvision.core.shell import command
from alvision.data.hashes import file_hash

if TYPE_CHECKING:
    from alvision.config.schema import ModelConfig

KEPT = "init.ckpt"
"""The copy: the other run may be trained again, moved or deleted."""

BUNDLED = "model.ckpt"
"""The same model in a bundle, whose network is rewritten for the line and cannot learn."""


def initial_file(init: str) -> Path:
    """Return the file of the model that `model.init` names.

    Args:
        init: A run's folder with a final model, a bundle, or a checkpoint.

    Raises:
        UserError: There is no such model, or a bundle's is not what was exported.
    """
    given = Path(init)
    if given.is_file():
        return given
    found = given / "final" / "model.ckpt"
    if found.is_file():
        return found
    if (given / "bundle.json").is_file():
        return _bundled(given)
    if (given / DOCUMENT).is_file():
        raise UserError(
            f"model.init={init}: that run has no final model yet: "
            f"{command('alvision', 'train', f'out={init}')}"
        )
    raise UserError(f"model.init={init} names neither a run with a final model nor a bundle")


def _bundled(bundle: Path) -> Path:
    """Return the model of a bundle, checked like every file of it."""
    files = json.loads((bundle / "bundle.json").read_bytes()).get("files", {})
    if BUNDLED not in files:
        raise UserError(
            f"model.init={bundle} is a bundle of an earlier version, without the model it was "
            "exported from: export it again, or name the folder of its run"
        )
    model = bundle / BUNDLED
    if not model.is_file() or file_hash(model) != files[BUNDLED]:
        raise UserError(f"{model} is not what was exported: copy the whole bundle again")
    return model


def content_hash(init: str, root: Path) -> str:
    """Return the sha256 of the model that a run starts from: that of its copy, if it has begun.

    Args:
        init: What `model.init` is now.
        root: The run's folder.

    Raises:
        UserError: There is no such model.
    """
    kept = root / KEPT
    if kept.is_file() and read_document(root)["config"]["model"].get("init") == init:
        return file_hash(kept)
    return file_hash(initial_file(init))


def keep(init: str | None, root: Path) -> None:
    """Keep the model that a run starts from, once."""
    if init is None or (root / KEPT).is_file():
        return
    source = initial_file(init)
    write_atomically(root / KEPT, lambda beside: _link_or_copy(source, beside))


def as_kept(model: ModelConfig, root: Path) -> ModelConfig:
    """Return a configuration whose networks start from the run's own copy, where it has one."""
    kept = root / KEPT
    return replace(model, init=str(kept)) if model.init and kept.is_file() else model


def _link_or_copy(source: Path, target: Path) -> None:
    # A model is replaced by another file and never written into, and a study has many runs.
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
