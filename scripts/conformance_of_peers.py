"""Run the conformance suite on strategies of ours, Baal, scikit-activeml and batchbald-redux.

`python scripts/conformance_of_peers.py` prints the table, `--write` puts it into
docs/acquisition.md. A peer that is not installed is named and left out. Each gets what it declares
in its own form. The adapters handle cases that a peer's interface does not have (n = 0, n outside
the pool), so that the result is about the strategy.
"""

import argparse
import functools
import io
import math
import signal
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from blocks import rewrite

from alvision import acquisition
from alvision.acquisition import needs, properties
from alvision.acquisition.support.ops import check_count
from alvision.acquisition.testing import conformance
from alvision.inference.predictions import Pick

PAGE = Path(__file__).parents[1] / "docs" / "acquisition.md"
SECONDS = 30
Row = tuple[str, str, str]


def select(name, *fields, promises):
    """Make a select of a function (pool, labelled, n, rng) -> rows, or rows and scores."""

    def wrap(function):
        def acquire(pool, labelled, *, n, rng):
            check_count(n, pool)
            if n == 0:
                return Pick(torch.zeros(0, dtype=torch.int64), torch.zeros(0))
            found = function(pool, labelled, n, rng)
            rows, scores = found if isinstance(found, tuple) else (found, np.zeros(len(found)))
            rows = torch.as_tensor(np.asarray(rows).astype(np.int64))
            return Pick(rows, torch.as_tensor(np.asarray(scores, dtype=np.float32)))

        acquire.__name__ = name
        return needs(*fields)(properties(*promises)(acquire))

    return wrap


def baal():
    """Yield Baal's heuristics; they read probabilities [N, C, K] and return an order."""
    heuristics = import_module("baal.active.heuristics")
    stochastics = import_module("baal.active.heuristics.stochastics")

    def ranked(heuristic, pool, labelled, n, rng):
        made = heuristic(n)
        p = pool.log_probs.exp().permute(0, 2, 1).double().numpy().copy()
        ranks, scores = made.get_ranks(p)
        rows, scores = np.asarray(ranks)[:n], np.asarray(scores)
        return rows, (scores[rows] if scores.shape == (len(pool),) else np.zeros(len(rows)))

    uncertain, passes = ("uncertainty", "deterministic"), ("disagreement", "deterministic")
    for name, made, fields, promises in (
        ("Entropy", lambda n: heuristics.Entropy(), ("log_probs",), uncertain),
        ("Margin", lambda n: heuristics.Margin(), ("log_probs",), uncertain),
        ("Certainty", lambda n: heuristics.Certainty(), ("log_probs",), uncertain),
        ("BALD", lambda n: heuristics.BALD(), ("log_probs", "passes"), passes),
        ("BatchBALD", lambda n: heuristics.BatchBALD(n), ("log_probs", "passes"), passes),
        ("PowerSampling of BALD", lambda n: stochastics.PowerSampling(heuristics.BALD(), n),
         ("log_probs", "passes"), ("disagreement", "sampled")),
        ("PowerSampling of Margin", lambda n: stochastics.PowerSampling(heuristics.Margin(), n),
         ("log_probs",), ("uncertainty", "sampled")),
    ):  # fmt: skip
        yield select(name, *fields, promises=promises)(functools.partial(ranked, made))


def scikit_activeml():
    """Yield scikit-activeml's strategies that read features alone."""
    pool_based = import_module("skactiveml.pool")

    def queried(strategy, pool, labelled, n, rng):
        known = [] if not len(labelled) else [labelled.features.numpy()]
        values = np.concatenate([*known, pool.features.numpy()]).astype(float)
        first = len(values) - len(pool)
        answers = np.full(len(values), math.nan)
        answers[:first] = labelled.labels.numpy() if first else 0
        seed = int(torch.randint(2**31 - 1, (1,), generator=rng))
        made = strategy(random_state=seed)
        rows = made.query(values, answers, np.arange(first, len(values)), batch_size=n)
        return np.asarray(rows) - first

    yield select("CoreSet", "features", promises=())(functools.partial(queried, pool_based.CoreSet))
    for name in ("TypiClust", "ProbCover", "MaxHerding"):
        if hasattr(pool_based, name):
            made = getattr(pool_based, name)
            if name == "ProbCover":
                made = functools.partial(made, n_classes=3, deltas=[1.0])
            yield select(name, "features", promises=())(functools.partial(queried, made))


def batchbald_redux():
    """Yield batchbald-redux's two batches."""
    module = import_module("batchbald_redux.batchbald")

    def batch(function, pool, labelled, n, rng):
        found = function(pool.log_probs.double(), n)
        return found.indices, found.scores

    fields, promises = ("log_probs", "passes"), ("disagreement", "deterministic")
    for name, function in (
        ("get_bald_batch", module.get_bald_batch),
        ("get_batchbald_batch", functools.partial(module.get_batchbald_batch, num_samples=1_000)),
    ):
        yield select(name, *fields, promises=promises)(functools.partial(batch, function))


def ours():
    """Yield the strategies of the same kinds, with no adapter between."""
    top_k, scores = acquisition.top_k, (acquisition.entropy, acquisition.margin, acquisition.bald)
    yield from (functools.partial(top_k, score=score) for score in scores)
    for name in ("k_center", "badge", "batch_bald", "typiclust", "prob_cover", "max_herding"):
        if hasattr(acquisition, name):
            yield getattr(acquisition, name)
    if hasattr(acquisition, "power_sampling"):
        yield functools.partial(acquisition.power_sampling, score=acquisition.bald)


PEERS = {
    "alvision": (ours, "alvision"),
    "Baal": (baal, "baal"),
    "scikit-activeml": (scikit_activeml, "scikit-activeml"),
    "batchbald-redux": (batchbald_redux, "batchbald-redux"),
}


def give_up(*_) -> None:
    raise TimeoutError


def verdict(acquire) -> str:
    """Say that a strategy passes, or the first property that it breaks, or that it is too slow."""
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stderr(io.StringIO()),
            redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            conformance.check(acquire)
    except TimeoutError:
        return f"nothing broken after {SECONDS} s, and not finished"
    except conformance.ConformanceError as error:
        if isinstance(error.__cause__, TimeoutError):
            return f"nothing broken after {SECONDS} s, and not finished"
        message = " ".join(str(error).split(" breaks ", 1)[1].split()).replace("|", "\\|")
        return message if len(message) < 240 else f"{message[:236]} ..."
    finally:
        signal.alarm(0)
    return "passes"


def rows(names) -> list[Row]:
    """Ask every strategy of the peers that are installed."""
    found: list[Row] = []
    for name in names:
        strategies, package = PEERS[name]
        try:
            listed = list(strategies())
            title = f"{name} {version(package)}"
        except ImportError as error:
            found.append((name, "", f"not installed ({error})"))
            continue
        for acquire in listed:
            strategy = acquisition.name_of(acquire)
            found.append((title, strategy, verdict(acquire)))
            print(*found[-1], sep=" | ", flush=True)
    return found


def table(found: list[Row]) -> str:
    """Write the rows as Markdown."""
    head = "| whose | strategy | the first property that it breaks |\n|---|---|---|"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in found)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument("--only", nargs="*", choices=PEERS, default=list(PEERS))
    options = parser.parse_args()
    found = rows(options.only)
    if options.write:
        rewrite(PAGE, "peers", table(found))


if __name__ == "__main__":
    main()
