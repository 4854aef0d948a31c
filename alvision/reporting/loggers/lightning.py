"""Log a run's rounds through Lightning's loggers: MLflow, Weights & Biases or any other.

`configs/logger/` names what makes the logger: one of Lightning's classes by `_target_`, or a
function of a `Place`, which is told where the run belongs.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from filelock import FileLock

from alvision.core.errors import UserError
from alvision.core.records import AwaitingLabels
from alvision.core.rounds import write_atomically
from alvision.data.cache import cache_folder
from alvision.evaluation.metrics import METRICS, Metric
from alvision.reporting.loggers.metric_names import scalars

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

STATE = "logger.json"
LOCAL = "sqlite:///mlflow.db"
EXTRAS = ("mlflow", "wandb")
"""Loggers whose package comes with an extra of the same name."""


@dataclass(frozen=True)
class Place:
    """Where a run belongs in a logger.

    Attributes:
        study: The name of all runs of one experiment.
        run: The run's own name, e.g. margin/seed-0.
        folder: The run's folder.
        known: The logger's own `version` of the run if it was logged before; None: a new run.
    """

    study: str
    run: str
    folder: Path
    known: str | int | None


class MakeLogger(Protocol):
    """A function that `configs/logger/` may name, its other keys filled in."""

    def __call__(self, place: Place) -> Logger:
        """Return Lightning's logger for a run."""


def lightning_logger(make: Callable[..., Logger], place: Place) -> Logger:
    """Build one of Lightning's own loggers for a run.

    The arguments that say which run it is are filled in where the class has them and the YAML does
    not give them: `name` (`experiment_name` and `run_name` with MLflow) and, so that a resumed run
    goes on where it was, `version` (`run_id`). `save_dir` is `logs` in the current folder.

    Args:
        make: The class, with the keys of the YAML filled in.
        place: The run.
    """
    run = {
        "save_dir": "logs",
        "name": f"{place.study}/{place.run}",
        "version": place.known,
        "experiment_name": place.study,
        "run_name": place.run,
        "run_id": place.known,
    }
    given = getattr(make, "keywords", {})
    takes = inspect.signature(make).parameters
    return make(**{key: run[key] for key in run if key in takes and key not in given})


def _build(make: Callable[..., Logger], place: Place) -> Logger:
    from pytorch_lightning.loggers import Logger

    takes_a_place = "place" in inspect.signature(make).parameters
    logger = make(place) if takes_a_place else lightning_logger(make, place)
    if not isinstance(logger, Logger):
        raise TypeError(f"{type(logger).__name__} is no logger of pytorch_lightning.loggers")
    return logger


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
        run_id=None if place.known is None else str(place.known),
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
        version=None if place.known is None else str(place.known),
        group=place.run.partition("/")[0],
        save_dir=place.folder,
        offline=offline,
        settings=Settings(silent=True),
    )


class RunLogger:
    """One run in one logger: every round once, whatever was killed or cut off between.

    `<folder>/logger.json` says which rounds were logged. Where a round cannot be logged the run
    goes on, and the next round brings it along.
    """

    def __init__(
        self,
        make: Callable[..., Logger],
        name: str,
        folder: Path,
        study: str,
        settings: Mapping[str, Any],
        metrics: Sequence[Metric] = METRICS,
    ) -> None:
        """Open the logger.

        Args:
            make: Builds Lightning's logger: a function of a `Place`, or one of its classes.
            name: The logger's name, for messages and the state.
            folder: The run's folder.
            study: The name of all runs of one experiment.
            settings: The configuration, logged once.
            metrics: The metrics of the run.

        Raises:
            UserError: Its package is missing, or it cannot be reached.
        """
        self.name, self.file, self.metrics = name, folder / STATE, metrics
        before = self._states().get(name, {})
        self.rounds: int = before.get("rounds", 0)
        place = Place(study, "/".join(folder.resolve().parts[-2:]), folder, before.get("run"))
        try:
            # Two runs that start at once would both make a new database or experiment.
            with FileLock(cache_folder() / "logger.lock"), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Experiment logs directory")
                self.logger = _build(make, place)
                if place.known is None:
                    self.logger.log_hyperparams(dict(settings))
                # Asking for it opens the run, and only then it has a name.
                self.experiment = getattr(self.logger, "experiment", None)
                self.run: str | int = _plain(self.logger.version)
            if self.run == place.known and _begins_anew(self.logger):
                self.rounds = 0
        except ModuleNotFoundError as error:
            package = error.name or _line(error)
            hint = f"pip install 'alvision[{name}]'" if name in EXTRAS else "install it"
            raise UserError(f"logger={name} needs the package {package}: {hint}") from None
        except Exception as error:  # every logger has errors of its own
            raise UserError(f"logger={name} cannot be opened: {_line(error)}") from error
        self._remember()

    def log(self, history: Sequence[Mapping[str, Any]]) -> str | None:
        """Log the rounds that are not logged yet; return why that failed, if it did."""
        try:
            for row in history[self.rounds :]:
                self.logger.log_metrics(scalars(row, self.metrics), step=row["round"])
                # Before it counts as logged, because a kill would take what is in memory.
                self._flush()
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

    def _flush(self) -> None:
        self.logger.save()
        if callable(flush := getattr(self.experiment, "flush", None)):
            flush()

    def _states(self) -> dict[str, dict[str, Any]]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}

    def _remember(self) -> None:
        states = {**self._states(), self.name: {"run": self.run, "rounds": self.rounds}}
        text = json.dumps(states, indent=1)
        write_atomically(self.file, lambda beside: _write(beside, text))


def _plain(version: Any) -> str | int:
    """Return a version as JSON keeps it: Lightning's file loggers tell the number 0 from "0"."""
    return version if isinstance(version, int) else str(version)


def _begins_anew(logger: Logger) -> bool:
    """Tell whether a logger deletes its file when it opens it, so that all rounds are due again."""
    from pytorch_lightning.loggers import CSVLogger

    return isinstance(logger, CSVLogger)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
