"""`run -m`: Hydra's own sweeps, each run in a folder named by what was swept."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from alvision import CONFIG_DIR
from alvision.cli.compose import from_node, one_line, reachable, search_path
from alvision.cli.overrides import parse, tidy
from alvision.errors import UserError

NAMED_BY_FOLDER = ("acquisition", "seed")


def sweep(words: list[str]) -> int:
    """Run every combination; the swept keys beside acquisition and seed go into the folder."""
    words = [tidy(word) for word in words]
    parsed = parse([word for word in words if not word.startswith("hydra")])
    swept = [o.key_or_group for o in parsed if o.is_sweep_override()]
    fixed = [o.key_or_group for o in parsed if o.key_or_group not in swept]
    excluded = ",".join([*fixed, *NAMED_BY_FOLDER, *(o for o in swept if o in NAMED_BY_FOLDER)])
    settings = [
        "hydra/job_logging=disabled",
        "hydra/hydra_logging=disabled",
        "hydra.output_subdir=null",
        "hydra.sweep.dir=.",
        "hydra.sweep.subdir=.",
        f"hydra.job.config.override_dirname.exclude_keys=[{excluded}]",
    ]
    argv, sys.argv = sys.argv, ["alvision", *search_path(), *settings, *words, "--multirun"]
    try:
        with reachable():
            decorate = hydra.main(str(CONFIG_DIR.resolve()), "run", version_base="1.3")
            one_line(decorate(job))
    finally:
        sys.argv = argv
    return 0


def job(node: DictConfig) -> None:
    """Do one run of a sweep; a failed one is named and the rest go on."""
    from alvision.cli.commands import execute

    settings = HydraConfig.get()
    swept = settings.job.override_dirname
    words = list(settings.overrides.task)
    full = node.copy()
    composed = from_node(full, words, base=_base(node, settings.runtime.choices, swept))
    try:
        execute(composed)
    except UserError as error:
        raise UserError(f"{composed.config.out}: {error}") from None


def _base(node: DictConfig, choices: DictConfig, swept: str) -> Path:
    root = node.data.root or node.data.kind
    name = node.name or choices.experiment or Path(root).resolve().name
    base = Path(node.out) if node.out else Path("runs") / name
    return base / swept if swept else base
