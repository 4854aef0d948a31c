"""Rounds for MLflow or Weights & Biases, through Lightning's own loggers.

A logger's function takes the run's place and what is known of it, and returns Lightning's logger:
`configs/logger/` names it, and `./configs/logger/mine.yaml` may name another.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from filelock import FileLock

from alvision.core.errors import UserError
from alvision.core.records import AwaitingLabels
from alvision.core.rounds import write_atomically
from alvision.data.cache import cache_folder
from alvision.reporting.loggers.metric_names import scalars

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

STATE = "logger.json"
LOCAL = "sqlite:///mlflow.db"


@dataclass(frozen=True)
class Place:
    """Where a run belongs in a logger.

    Attributes:
        study: The name of all runs of one experiment.
        run: The run's own, e.g. margin/seed-0.
        folder: The run's folder.
        known: What the logger called the run when it was logged before; None: a new one.
    """

    study: str
    run: str
    folder: Path
    known: str | None


class MakeLogger(Protocol):
    """What a file in `configs/logger/` names, with its keys filled in."""

    def __call__(self, place: Place) -> Logger:
        """Return Lightning's logger for a run."""


def mlflow(
    place: Place, *, experiment: str | None = None, tracking_uri: str | None = None
) -> Logger:
    """Log to MLflow.

    Args:
        place: The run.
        experiment: Name of MLflow's experiment; None: the study's.
        tracking_uri: Where MLflow keeps it; None: $MLFLOW_TRACKING_URI, or a file here.
    """
    from pytorch_lightning.loggers import MLFlowLogger

    for noisy in ("mlflow.store.db.utils", "pytorch_lightning.loggers.mlflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return MLFlowLogger(
        experiment_name=experiment or place.study,
        run_name=place.run,
        run_id=place.known,
        tracking_uri=tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or LOCAL,
    )


def wandb(
    place: Place, *, project: str | None = None, entity: str | None = None, offline: bool = False
) -> Logger:
    """Log to Weights & Biases.

    Args:
        place: The run.
        project: The project; None: the study's name.
        entity: The user or team; None: the default one.
        offline: Keep it in the run's folder and send nothing.
    """
    from pytorch_lightning.loggers import WandbLogger
    from wandb import Settings

    return WandbLogger(
        project=project or place.study,
        entity=entity,
        name=place.run,
        version=place.known,
        group=place.run.partition("/")[0],
        save_dir=place.folder,
        offline=offline,
        settings=Settings(silent=True),
    )


class RunLogger:
    """One run in one logger: every round once, whatever was killed or cut off between.

    What was logged stands in `<folder>/logger.json`. Where a round cannot be logged the run goes
    on, and the next round brings it along.
    """

    def __init__(
        self, make: MakeLogger, name: str, folder: Path, study: str, settings: Mapping[str, Any]
    ) -> None:
        """Open the logger.

        Args:
            make: Builds Lightning's logger.
            name: The logger's name, for messages and the state.
            folder: The run's folder.
            study: The name of all runs of one experiment.
            settings: The configuration, logged once.

        Raises:
            UserError: Its package is missing, or it cannot be reached.
        """
        self.name, self.file = name, folder / STATE
        before = self._states().get(name, {})
        self.rounds: int = before.get("rounds", 0)
        place = Place(study, "/".join(folder.resolve().parts[-2:]), folder, before.get("run"))
        try:
            # Two runs that start at once would both make a new database or experiment.
            with FileLock(cache_folder() / "logger.lock"):
                self.logger = make(place)
                if place.known is None:
                    self.logger.log_hyperparams(dict(settings))
                # Asking for it opens the run, and only then it has a name.
                self.experiment = getattr(self.logger, "experiment", None)
                self.run = str(self.logger.version)
        except ModuleNotFoundError as error:
            raise UserError(
                f"logger={name} needs the package {error.name}: pip install 'alvision[{name}]'"
            ) from None
        except Exception as error:  # every logger has errors of its own
            raise UserError(f"logger={name} cannot be opened: {_line(error)}") from error
        self._remember()

    def log(self, history: Sequence[Mapping[str, Any]]) -> str | None:
        """Log the rounds that are not logged yet; return why that failed, if it did."""
        try:
            for row in history[self.rounds :]:
                self.logger.log_metrics(scalars(row), step=row["round"])
                self.rounds = row["round"] + 1
        except Exception as error:
            return f"logger={self.name} does not take round {self.rounds} now: {_line(error)}"
        finally:
            self._remember()
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End the session; the same run may be opened again."""
        failed = kind is not None and not issubclass(kind, AwaitingLabels)
        try:
            self.logger.finalize("failed" if failed else "success")
            # W&B would take the next run of this process for this one.
            if callable(finish := getattr(self.experiment, "finish", None)):
                finish()
        except Exception:  # the rounds' files have all of it, and the state says what is missing
            logging.getLogger(__name__).debug("logger=%s", self.name, exc_info=True)

    def _states(self) -> dict[str, dict[str, Any]]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}

    def _remember(self) -> None:
        states = {**self._states(), self.name: {"run": self.run, "rounds": self.rounds}}
        text = json.dumps(states, indent=1)
        write_atomically(self.file, lambda beside: _write(beside, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
