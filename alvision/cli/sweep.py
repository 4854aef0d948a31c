"""`run -m`: Hydra's own sweeps, each run in a folder named by what was swept."""

from __future__ import annotations

import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from alvision.config.compose import (
    as_user_error,
    compose,
    from_node,
    refuse_empty,
    refuse_ignored,
    search_path,
    user_modules,
)
from alvision.config.overrides import parse, tidy
from alvision.core import stopping
from alvision.core.errors import UserError
from alvision.core.records import AwaitingLabels
from alvision.core.version import CONFIG_DIR

HYDRAS_OWN = ("hydra/launcher", "hydra.launcher.", "hydra/sweeper", "hydra.sweeper.")
"""Hydra's settings that work: how runs are started, and in which order."""
NAMED_BY_FOLDER = ("acquisition", "seed")


def sweep(words: list[str]) -> int:
    """Run every combination; the swept keys beside acquisition and seed go into the folder.

    Raises:
        UserError: Runs that failed: all are named, after the rest is done.
    """
    words = [tidy(word) for word in words]
    overrides = parse(words)
    refuse_ignored(overrides, works=HYDRAS_OWN)
    refuse_empty(words)
    parsed = [o for o in overrides if not o.key_or_group.startswith("hydra")]
    swept = {o.key_or_group for o in parsed if o.is_sweep_override()}
    if not swept:
        raise UserError("-m sweeps keys with several values, e.g. seed=0,1,2; there is none")
    compose([str(o.input_line) for o in parsed if o.key_or_group not in swept])
    unnamed = ({o.key_or_group for o in parsed} - swept) | set(NAMED_BY_FOLDER)
    settings = [
        "hydra/job_logging=none",
        "hydra/hydra_logging=none",
        "hydra.output_subdir=null",
        "hydra.sweep.dir=runs/.sweep",
        "hydra.sweep.subdir=.",
        f"hydra.job.config.override_dirname.exclude_keys=[{','.join(sorted(unnamed))}]",
    ]
    launchers = [o.value() for o in overrides if o.key_or_group == "hydra/launcher"]
    # Another launcher starts processes, for which this one waits in the launcher's own code.
    elsewhere = any(launcher != "basic" for launcher in launchers)
    with user_modules(), stopping.interrupting() if elsewhere else nullcontext():
        folder = create_config_search_path(str(CONFIG_DIR.resolve()))
        main = Hydra.create_main_hydra2("alvision", folder)
        batches = as_user_error(
            lambda: main.multirun("run", job, [*search_path(), *settings, *words]), words
        )
    runs = [run for batch in batches for run in batch]
    failed = [
        f"{_swept(run.overrides, swept)}: {run.return_value}" for run in runs if run.return_value
    ]
    if failed:
        raise UserError(
            f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed)}. The same command "
            "goes on with them"
        )
    return 0


def job(node: DictConfig) -> str | None:
    """Do one run of a sweep, in whatever process; return why it failed, so that the rest go on."""
    from alvision.cli.run import run_and_report

    settings: Any = HydraConfig.get()
    choices = settings.runtime.choices
    try:
        base = _base(node, choices, settings.job.override_dirname)
        run_and_report(from_node(node, choices, list(settings.overrides.task), base))
    except AwaitingLabels as waiting:
        print(waiting)
    except UserError as error:
        return " ".join(str(error).split())
    except Exception as error:
        if node.debug:
            traceback.print_exc()
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


def _swept(overrides: list[str], keys: set[str]) -> str:
    """Name a run of a sweep by what sets it apart."""
    return " ".join(str(o.input_line) for o in parse(overrides) if o.key_or_group in keys)


def _base(node: DictConfig, choices: DictConfig, swept: str) -> Path:
    root = node.data.root or node.data.kind
    name = node.name or choices.experiment or Path(root).resolve().name
    base = Path(node.out) if node.out else Path("runs") / name
    return base / swept if swept else base
