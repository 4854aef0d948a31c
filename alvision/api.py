"""Run the commands from Python: settings are arguments, results are objects.

Every function here runs the command of its name; docs/python.md shows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.advice.sentences import advise
from alvision.cli.check import check as check_command
from alvision.cli.compare import compare as compare_command
from alvision.cli.export import export as export_command
from alvision.cli.predict import predict as predict_command
from alvision.cli.report import report as report_command
from alvision.cli.run import run as run_command
from alvision.cli.threshold import threshold as threshold_command
from alvision.cli.train import train as train_command
from alvision.config.compose import compose
from alvision.config.overrides import quote
from alvision.core.errors import UserError
from alvision.reporting.run.folder import read as read_run
from alvision.reporting.run.summary import facts
from alvision.run_folder.round_files import QueryFile, read_csv
from alvision.study import read
from alvision.study.collect import THROUGHOUT, run_folder

if TYPE_CHECKING:
    import pandas

    from alvision.config.schema import RunConfig
    from alvision.core.records import Query
    from alvision.study import Comparison
    from alvision.training.trained import TrainedModel

PLAIN = re.compile(r"[A-Za-z_][\w.\-]*")
"""Texts that mean themselves in Hydra's grammar; all others are quoted."""
NOT_TEXT = ("true", "false", "null", "none", "nan", "inf")


class Experiment:
    """A configuration, checked as soon as it is made.

    Args:
        experiment: A file of configs/experiment by its name; None: the defaults.
        settings: The keys and groups of `alvision run --help`; `__` stands for the dot.

    Attributes:
        words: The same on the command line.
        config: The configuration in force.
        folder: Where a run of it goes.

    Raises:
        UserError: An unknown key, a wrong type, a value out of its range.

    >>> Experiment("digits", acquisition="bald", budget__rounds=3).words
    ['experiment=digits', 'acquisition=bald', 'budget.rounds=3']
    """

    def __init__(self, experiment: str | None = None, /, **settings: Any) -> None:
        self.words = words(experiment, settings)
        self.config: RunConfig = compose(self.words).config
        self.folder = Path(str(self.config.out))

    def __repr__(self) -> str:
        return f"Experiment({' '.join(self.words)})"


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder.

    Attributes:
        folder: The run's folder.
        metrics: What metrics.json says of each round.
        report: The page about it.
    """

    folder: Path
    metrics: list[dict[str, Any]]
    report: Path

    @property
    def curve(self) -> pandas.DataFrame:
        """Return metrics.csv as a data frame, one row a round."""
        import pandas

        return pandas.read_csv(self.folder / "metrics.csv")

    @property
    def advice(self) -> list[str]:
        """Return what to do next, the most useful first, as `alvision advice` says it."""
        return [str(sentence) for sentence in advise(facts(read_run(self.folder)))]

    def model(self, round: int) -> TrainedModel:
        """Return the trained model of a round: `.classes`, `.predict(images)`, `.module`.

        Raises:
            UserError: There is no such round, or its trunk cannot be rebuilt here.
        """
        from alvision.training.trained import load

        return load(self.folder, round)

    def query(self, round: int) -> Query:
        """Return what a round asked for, with the reason for every image.

        Raises:
            UserError: There is no such round.
        """
        folder = self.folder / "rounds"
        there = sorted(int(file.parent.name) for file in folder.glob("*/query.csv"))
        if isinstance(round, str) or round not in there:
            raise UserError(
                f"{self.folder} has no query of round {round!r}; it has {there or 'none yet'}"
            )
        return QueryFile().read(folder / f"{round:03d}" / "query.csv")


def run(experiment: Experiment | str | None = None, /, **settings: Any) -> Run:
    """Run or resume an experiment, `alvision run`.

    Raises:
        UserError: Something in the configuration, the data or the folder does not fit.
        AwaitingLabels: People answer, and have not answered yet.
    """
    asked = _experiment(experiment, settings)
    run_command(asked.words)
    files = sorted(asked.folder.glob("rounds/*/metrics.json"))
    metrics = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return Run(asked.folder, metrics, asked.folder / "report.html")


def compare(
    experiment: Experiment | str | None = None,
    /,
    *,
    acquisition: Iterable[str],
    seeds: int = 5,
    jobs: int | None = None,
    **settings: Any,
) -> Comparison:
    """Compare acquisition functions over seeds, `alvision compare`.

    `alvision.study.frames(...)` of what it returns are data frames, `verdict(...)` is a sentence.
    With several jobs a script needs `if __name__ == "__main__":` around it; a notebook does not.

    Args:
        experiment: What is run, without `acquisition` and `seed`.
        acquisition: The names of the acquisition functions.
        seeds: Number of seeds.
        jobs: Runs at a time; None: as the machine allows.
        settings: More settings, as `Experiment` takes them.

    Raises:
        UserError: A run failed, or the runs cannot be compared.
    """
    names = list(acquisition)
    asked = _experiment(experiment, settings).words
    if not any(word.startswith("out=") for word in asked):
        first = compose([*asked, *(f"acquisition={name}" for name in names[:1])]).config
        asked = [*asked, f"out={Path('runs') / str(first.name)}"]
    more = [f"acquisition=[{','.join(names)}]", f"seeds={seeds}", f"jobs={jobs}"]
    compare_command([*asked, *(more if jobs else more[:-1])])
    folder = next(word for word in asked if word.startswith("out=")).partition("=")[2].strip("'")
    random = [THROUGHOUT] if run_folder(folder, THROUGHOUT, 0).is_dir() else []
    return read(folder, [*random, *names], range(seeds))


def check(experiment: Experiment | str | None = None, /, **settings: Any) -> bool:
    """Look over a data set, `alvision check`; return whether nothing must be mended first."""
    return check_command(_experiment(experiment, settings).words) == 0


def report(out: Path | str) -> Path:
    """Rebuild the page of a run or a study from its files, `alvision report`."""
    report_command([f"out={out}"])
    return Path(out) / "report.html"


def train(experiment: Experiment | str | None = None, /, **settings: Any) -> Path:
    """Train the final model, `alvision train`; return its folder.

    With `out=` of a run alone it is trained on that run's labels, else on those of the data.
    """
    if experiment is None and set(settings) == {"out"}:
        folder, asked = Path(settings["out"]), [f"out={settings['out']}"]
    else:
        made = _experiment(experiment, settings)
        folder, asked = made.folder, made.words
    train_command(asked)
    return folder / "final"


def export(out: Path | str, *, bundle: Path | str | None = None, format: str = "onnx") -> Path:
    """Write and verify the bundle of a final model, `alvision export`; return its folder."""
    folder = Path(bundle or Path(out) / "bundle")
    export_command([f"out={out}", f"bundle={folder}", f"format={format}"])
    return folder


def threshold(bundle: Path | str, **settings: Any) -> dict[str, Any]:
    """Set a bundle's threshold by a promise, `alvision threshold`; return thresholds.json.

    Args:
        bundle: The bundle.
        settings: escape, confidence, human, look, scrap, defect_share, as the command takes them.

    Raises:
        UserError: Too few sealed defects for the promise.
    """
    threshold_command([f"bundle={bundle}", *_plain(settings)])
    return json.loads((Path(bundle) / "thresholds.json").read_text(encoding="utf-8"))


def predict(
    bundle: Path | str, images: Path | str, *, to: Path | str = "predictions.csv"
) -> list[dict[str, str]]:
    """Run a bundle over a folder, `alvision predict`; return the rows of its table."""
    if Path(to).suffix != ".csv":
        raise UserError(f"to={to}: from Python the table is a .csv file")
    predict_command([f"bundle={bundle}", f"images={images}", f"to={to}"])
    return read_csv(Path(to))


def words(experiment: str | None, settings: Mapping[str, Any]) -> list[str]:
    """Return settings as words of the command line.

    >>> words("elpv", {"budget__rounds": 3, "classes": ["ok", "not ok"], "data.fold": None})
    ['experiment=elpv', 'budget.rounds=3', "classes=[ok,'not ok']", 'data.fold=null']
    """
    start = [] if experiment is None else [f"experiment={experiment}"]
    return start + [f"{key.replace('__', '.')}={_text(value)}" for key, value in settings.items()]


def _experiment(experiment: Experiment | str | None, settings: Mapping[str, Any]) -> Experiment:
    if isinstance(experiment, Experiment):
        if settings:
            raise UserError(f"{experiment!r} is whole; give {', '.join(settings)} when it is made")
        return experiment
    return Experiment(experiment, **settings)


def _plain(settings: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in settings.items() if value is not None]


def _text(value: Any) -> str:
    """Write a value in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(key)}:{_text(own)}" for key, own in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    text = str(value)
    plain = PLAIN.fullmatch(text) and text.lower() not in NOT_TEXT
    return text if plain else quote(text)
