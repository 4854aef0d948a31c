"""What is logged, once, and what happens where it cannot be: with Lightning's CSV logger."""

import csv
import functools
import json

import pytest
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from alvision.core.errors import UserError
from alvision.core.records import AwaitingLabels
from alvision.reporting.loggers.lightning import RunLogger

HISTORY = [
    {
        "round": number,
        "labels": 6 + 4 * number,
        "answers": 6 + 4 * number,
        "macro_f1": 0.5 + number / 10,
        "escape_rate": None,
        "per_class": {"ok": {"f1": 0.75}, "worn": {"f1": None}},
        "cold_start": "a note, and no number",
    }
    for number in range(3)
]


def in_csv(place):
    return CSVLogger(
        place.folder, name="", version=place.known or "first", flush_logs_every_n_steps=1
    )


def logged(folder):
    with (folder / "first" / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "margin" / "seed-0"
    folder.mkdir(parents=True)
    return folder


def opened(folder, make=in_csv):
    return RunLogger(make, "mine", folder, "parts", {"seed": 0})


def test_a_round_is_its_numbers(folder):
    with opened(folder) as logger:
        assert logger.log(HISTORY) is None
    rows = logged(folder)
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    assert [float(row["metrics/macro_f1"]) for row in rows] == [0.5, 0.6, 0.7]
    assert [float(row["budget/labels"]) for row in rows] == [6, 10, 14]
    assert rows[0]["f1 by class/ok"] == "0.75"
    assert set(rows[0]) == {
        "step", "metrics/macro_f1", "budget/labels", "budget/answers", "f1 by class/ok"
    }  # fmt: skip


def test_a_round_is_logged_once_whatever_comes_between(folder):
    seen = []

    class Heard(CSVLogger):
        def log_metrics(self, metrics, step=None):
            seen.append(step)
            super().log_metrics(metrics, step)

    def make(place):
        assert place.known == ("first" if seen else None)
        return Heard(place.folder, name="", version="second" if place.known else "first")

    with opened(folder, make) as logger:
        logger.log(HISTORY[:1])
        logger.log(HISTORY[:2])
    with opened(folder, make) as logger:  # the run is resumed
        logger.log(HISTORY[:2])
        logger.log(HISTORY)
    assert seen == [0, 1, 2]


def test_a_round_that_cannot_be_logged_comes_with_the_next(folder):
    class Cut(CSVLogger):
        cut = True

        def log_metrics(self, metrics, step=None):
            if step == 1 and self.cut:
                raise ConnectionError("the server is away\nfor a while")
            super().log_metrics(metrics, step)

    made = []

    def make(place):
        made.append(Cut(place.folder, name="", version="first", flush_logs_every_n_steps=1))
        return made[0]

    with opened(folder, make) as logger:
        assert logger.log(HISTORY[:1]) is None
        trouble = logger.log(HISTORY[:2])
        assert trouble == (
            "logger=mine does not take round 1 now: ConnectionError: the server is away for a while"
        )
        assert json.loads((folder / "logger.json").read_text())["mine"]["rounds"] == 1
        made[0].cut = False
        assert logger.log(HISTORY) is None
    assert [row["step"] for row in logged(folder)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "failed"), (AwaitingLabels, "success"), (None, "success")]
)
def test_a_run_that_waits_for_people_has_not_failed(folder, error, status):
    ends = []

    class Heard(CSVLogger):
        def finalize(self, status):
            ends.append(status)

    def leave():
        with opened(folder, lambda place: Heard(place.folder, name="", version="first")):
            if error:
                raise error("what happened")

    if error:
        with pytest.raises(error):
            leave()
    else:
        leave()
    assert ends == [status]


def test_what_cannot_be_opened_is_one_line(folder):
    def missing(place):
        import no_such_package  # noqa: F401

    def away(place):
        raise RuntimeError("no API key\nconfigured")

    with pytest.raises(UserError, match="logger=mine needs the package no_such_package"):
        opened(folder, missing)
    with pytest.raises(UserError, match="object is no logger of pytorch_lightning"):
        opened(folder, lambda place: object())
    with pytest.raises(UserError, match="cannot be opened: RuntimeError: no API key configured"):
        opened(folder, away)
    assert not (folder / "logger.json").exists()


def in_lightnings_csv(tmp_path):
    return functools.partial(CSVLogger, save_dir=tmp_path / "logs")


def test_lightnings_own_logger_needs_no_function_and_goes_on(folder, tmp_path):
    for rounds in (1, 2, 3):  # begun, then resumed twice
        with opened(folder, in_lightnings_csv(tmp_path)) as logger:
            assert logger.log(HISTORY[:rounds]) is None
    (file,) = (tmp_path / "logs").rglob("metrics.csv")
    assert file.parent == tmp_path / "logs" / "parts" / "margin" / "seed-0" / "version_0"
    with file.open(newline="") as table:
        assert [row["step"] for row in csv.DictReader(table)] == ["0", "1", "2"]


def test_what_is_logged_is_on_disk_before_it_counts(folder, tmp_path):
    logger = opened(folder, in_lightnings_csv(tmp_path))
    logger.log(HISTORY[:2])  # no exit: the process was killed
    (file,) = (tmp_path / "logs").rglob("metrics.csv")
    assert len(file.read_text().splitlines()) == 3


def test_tensorboards_logger_goes_on_too(folder, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    make = functools.partial(TensorBoardLogger, save_dir=str(tmp_path / "logs"))
    for rounds in (2, 3):
        with opened(folder, make) as logger:
            assert logger.log(HISTORY[:rounds]) is None
    place = tmp_path / "logs" / "parts" / "margin" / "seed-0" / "version_0"
    found = EventAccumulator(str(place)).Reload().Scalars("metrics/macro_f1")
    assert [(point.step, round(point.value, 3)) for point in found] == [
        (0, 0.5),
        (1, 0.6),
        (2, 0.7),
    ]
