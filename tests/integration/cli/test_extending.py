"""Parts of the user's own, as docs/extending.md shows them: the page itself is run."""

import csv
import json
import re
import shlex
import sys

import pytest
import torch

from alvision.core.rounds import read_document
from tests.integration.conftest import TINY
from tests.support import PROJECT

PAGE = (PROJECT / "docs" / "extending.md").read_text(encoding="utf-8")
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def sections():
    """Return the headings of the page that have a command, with their fences."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    found = {}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        fences = [match.groups() for match in FENCE.finditer(text)]
        if any(language == "sh" for language, _, _ in fences):
            found[title] = fences
    return found


@pytest.fixture
def outside(run, tmp_path, monkeypatch):
    """Return a function that writes files into a folder of the user's own and runs a command there.

    The user's modules are forgotten before and after, because each test has its own of a name.
    """
    (tmp_path / "parts").rename(tmp_path / "photos")
    monkeypatch.setattr(sys, "path", list(sys.path))
    forget()

    def call(files, *words):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return run(*words)

    yield call
    forget()


def forget():
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


def small(words):
    """Return the tiny settings that a command does not choose itself."""
    own = [word for word in TINY if word not in ("trainer=cpu", *TINY[:2])]
    if not any(word.startswith("trainer=") for word in words):
        own.append("trainer=cpu")
    if "model=my_net" not in words:
        own += TINY[:2]
    return [*words, *own, "budget.rounds=1", "trainer.epochs=1", "trainer.accelerator=cpu"]


@pytest.mark.slow
@pytest.mark.parametrize("title", sections())
def test_the_page_shows_what_works(outside, tmp_path, title):
    fences = sections()[title]
    files = {name: text for _, name, text in fences if name}
    (command,) = (text for language, _, text in fences if language == "sh")
    words = shlex.split(command)
    assert words.pop(0) == "alvision"
    status, _, err = outside(files, *small(words))
    assert (status, err) == (0, "")
    folder = next((tmp_path / "runs").rglob("experiment.yaml")).parent
    metrics = json.loads((folder / "rounds" / "001" / "metrics.json").read_text())
    assert metrics["labels"] == 10
    torch.load(folder / "rounds" / "001" / "model.ckpt", weights_only=True)
    if title == "A metric":
        assert_own_metric(folder)
    if title == "A logger":
        assert_logged_once(tmp_path / "logs", rounds=2)
    if title == "Lightning callbacks":
        assert len((tmp_path / "losses.csv").read_text().splitlines()) == 2 * 20
    # What was chosen belongs to the run, and the same command finds it all done.
    chosen = str(read_document(folder)["fingerprint"])
    outside_the_settings = ("An acquisition function", "A logger")
    assert title in outside_the_settings or re.search(r"my_|torch\.optim|albument", chosen)
    before = (folder / "metrics.csv").read_bytes()
    assert outside({}, *small(words))[0] == 0
    assert (folder / "metrics.csv").read_bytes() == before
    if title == "A logger":
        assert_logged_once(tmp_path / "logs", rounds=2)


def assert_own_metric(folder):
    """Check the column, its values and what the report calls it."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-1] == "worst_recall"
    assert all(0 <= float(row["worst_recall"]) <= float(row["accuracy"]) for row in rows)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "worst recall" in page


def assert_logged_once(logs, rounds):
    """Check that a CSV logger holds each round once."""
    (file,) = logs.rglob("metrics.csv")
    with file.open(newline="") as table:
        assert [row["step"] for row in csv.DictReader(table)] == [str(k) for k in range(rounds)]


OWN_METRIC = """
from alvision.evaluation.metrics import Metric

def no_metric(): return 0.5
def taken(): return Metric("ece", "ece", len, higher_is_better=True)

def rate():
    return Metric("rate", "rate", _rate, higher_is_better=True)
def _rate(outcomes): return (outcomes.truth == outcomes.called).mean()
"""


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ("[{_target_:my_metric.no_metric}]", "gave a float"),
        ("[{_target_:my_metric.taken}]", "'ece' is taken"),
        ("{_target_:my_metric.rate}", "metrics= is a list"),
        ("[{_target_:my_metric.nothing}]", "has no attribute"),
    ],
)
def test_a_metric_that_is_none_is_one_line(outside, node, says):
    words = ["run", "data.root=photos", *TINY, f"metrics={node}"]
    status, _, err = outside({"my_metric.py": OWN_METRIC}, *words)
    assert status == 2
    assert err.count("\n") == 1 and "metrics" in err and says in err


@pytest.mark.slow
def test_a_study_compares_by_a_metric_of_ones_own(outside, tmp_path):
    words = [
        "compare", "data.root=photos", "acquisition=[random_sampling,margin]", "seeds=1", "jobs=1",
        *TINY, "budget.rounds=1", "metrics=[{_target_:my_metric.rate}]", "target.metric=rate",
        "out=study",
    ]  # fmt: skip
    status, _, err = outside({"my_metric.py": OWN_METRIC}, *words)
    assert status == 0, err
    forget()
    (tmp_path / "my_metric.py").unlink()  # a report takes the values from the files
    status, out, err = outside({}, "report", "out=study")
    assert status == 0, err
    assert "Mean rate over the learning curve" in out


MISTAKES = {
    "no such module": (
        "trainer.loss",
        "{_target_:my_none.f,_partial_:true}",
        "no module 'my_none'",
    ),
    "no such function": (
        "trainer.loss",
        "{_target_:my_own.none,_partial_:true}",
        "has no attribute",
    ),
    "a function that was called": ("trainer.loss", "{_target_:my_own.loss}", "_partial_: true"),
    "a loss of many numbers": ("trainer.loss", "{_target_:my_own.loss,_partial_:true}", "scalar"),
    "a head of another shape": ("model.head", "{_target_:my_own.head,_partial_:true}", "[2, 2]"),
    "a network that is none": (
        "model.backbone",
        "{_target_:my_own.none_at_all}",
        "torch.nn.Module",
    ),
    "a network of maps": ("model.backbone", "{_target_:my_own.net}", "features [B, D]"),
    "a loss of two arguments": (
        "trainer.loss",
        "{_target_:my_own.short,_partial_:true}",
        "trainer.loss=my_own.short failed: TypeError: ",
    ),
    "a source that fails": (
        "data.source",
        "{_target_:my_own.keyless,_partial_:true}",
        "data.source=my_own.keyless failed: KeyError: 'files'",
    ),
    "a pipeline that nothing would use": (
        "trainer.augment",
        "{_target_:albumentations.Compose,transforms:[]}",
        "model.training=finetune",
    ),
    "no pipeline": ("trainer.augment", "{_target_:my_own.none_at_all}", "albumentations.Compose"),
    "no callback": ("trainer.callbacks", "[{_target_:my_own.none_at_all}]", "Lightning callback"),
    "a callback that Lightning refuses": (
        "trainer.callbacks",
        "[{_target_:pytorch_lightning.callbacks.ModelCheckpoint}]",
        "Lightning refuses",
    ),
    "no optimiser": ("trainer.optimizer", "{_target_:my_own.loss,_partial_:true}", "optimizer"),
    "no schedule": ("trainer.schedule", "{_target_:my_own.loss,_partial_:true}", "schedule"),
    "no listing": ("data.source", "{_target_:my_own.listing,_partial_:true}", "Listing"),
    "a word that is no part": ("trainer.loss", "focal", "_target_"),
}
OWN = """
from torch import nn

def loss(logits, targets, weight=None, lr=None): return logits.mean(1)
def short(logits, targets): return logits.sum()
def keyless(data): return {}["files"]
def head(width, classes): return nn.Linear(width, classes + 1)
def none_at_all(): return object()
def net(): return nn.Conv2d(3, 4, 3)
def listing(data): return ["a.png"]
"""


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_setting(outside, mistake):
    key, value, says = MISTAKES[mistake]
    words = ["run", "data.root=photos", *TINY, "model.training=frozen", f"{key}={value}"]
    status, _, err = outside({"my_own.py": OWN}, *words)
    assert status == 2
    assert err.count("\n") == 1 and key in err and says in err
