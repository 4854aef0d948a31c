"""Build an experiment from its configuration: where all rooms meet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.acquisition import needs_of, parts_of, properties_of, score_of
from alvision.config.checks import PER_CLASS, known_defects
from alvision.core.errors import UserError
from alvision.core.rounds import Round, claim, lock
from alvision.core.seeding import generator
from alvision.data.splits import Split, group_keys
from alvision.dataset.dataset import (
    Sources,
    audit_order,
    digest,
    label_store,
    people,
    sources,
    split_and_parts,
)
from alvision.dataset.simulation import simulation
from alvision.evaluation.metrics import evaluate, metric_names
from alvision.explain.reasons import reasons
from alvision.labels.consensus import Resolve, standing
from alvision.labels.content import resolver
from alvision.labels.location import audit_location, write_audit
from alvision.labels.store import LabelStore
from alvision.loop.experiment import Budget, Experiment, Strategy
from alvision.loop.page_oracle import SPARE_BATCHES, page_oracle
from alvision.oracles.files import FilesOracle
from alvision.run_folder.experiment_file import document
from alvision.run_folder.round_files import codecs, write_metrics_table

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.training import Learner


def experiment(
    config: RunConfig,
    *,
    acquire: Callable[..., Any],
    cold_start: Callable[..., Any],
    choices: Mapping[str, str | None],
    command: str,
    stack: ExitStack,
    quiet: bool = False,
    wait: bool = False,
    found: Callable[[Split], None] | None = None,
) -> Experiment:
    """Build an experiment and take its folder.

    Args:
        config: The configuration; `name` and `out` are set.
        acquire: The acquisition function.
        cold_start: The function that chooses without a model.
        choices: What was chosen in each configuration group.
        command: The command line that makes this run.
        stack: Holds the folder's lock and the store until it is closed.
        quiet: Show no progress and write no TensorBoard; a study does that at its end.
        wait: With a page: wait for its people instead of ending.
        found: Called with the parts of the data set as soon as they are known.

    Raises:
        UserError: Something in the configuration, the data or the folder does not fit.
    """
    data = sources(config)
    config.classes = list(data.classes)
    groups = group_keys(data.manifest, data.hashes)
    store = stack.enter_context(label_store(config))
    audit = audit_location(store.path, data.manifest.root) if people(config) else None
    split, parts = split_and_parts(config, data.manifest, groups, audit)
    _check_budget(config, len(split.pool))
    if found:  # before the network: its libraries take seconds to import
        found(split)
    learner = build_learner(config, data, groups, progress=not quiet)
    config.trainer.precision = learner.engine.precision
    root = Path(str(config.out))
    stack.enter_context(lock(root))
    acquisition = _strategy(choices["acquisition"], acquire)
    starting = _strategy(choices["cold_start"], cold_start)
    for strategy in (acquisition, starting):
        learner.check(strategy.needs)
    if "labels" in starting.needs and not known_defects(config):
        raise UserError(
            f"cold_start={starting.name} learns from labels, and at the start there is none; take "
            "one that reads features alone, or random, or cold_start.known_defects=5"
        )
    simulated = None if people(config) else simulation(config, data, split)
    # Only what fits takes the folder: a mistake put right must not find it held by the mistake.
    answered = people(config)
    described = document(
        config, choices, command,
        anonymous=answered, manifest=None if answered else digest(data),
    )  # fmt: skip
    claimed = claim(root, described)
    if audit and parts:
        write_audit(audit, parts)
    budget = Budget(
        initial=None if config.budget.initial == "all" else int(config.budget.initial),
        batch=config.budget.batch,
        rounds=config.budget.rounds,
        audit=config.budget.audit if people(config) else 0,
        per_class=config.cold_start[PER_CLASS],
    )
    steps = codecs(learner, data.classes)
    resolve = resolver(data.manifest.ids, data.hashes)
    run = claimed["run"]
    if simulated:
        simulated.begin(store, data.hashes, run)
        oracle: Any = simulated.oracle(run)
    elif config.oracle.kind == "files":
        oracle = FilesOracle(
            root / "rounds",
            classes=data.classes,
            run=run,
            votes=config.labels.votes,
            path_of=data.manifest.path,
            spoken=partial(_spoken, store, resolve),
        )
    else:
        oracle = page_oracle(
            config, root, store=store, resolve=resolve,
            learner=learner, manifest=data.manifest, pool=split.pool, codecs=steps, wait=wait,
        )  # fmt: skip
    return Experiment(
        root=root,
        classes=data.classes,
        candidates=split.pool,
        evaluation_ids=split.held_out if simulated else split.monitor,
        audit_order=audit_order(split) if people(config) else (),
        hashes=data.hashes,
        labels=store,
        oracle=oracle,
        learner=learner,
        acquisition=acquisition,
        cold_start=starting,
        budget=budget,
        generator=lambda round, purpose: generator(config.seed, round, purpose),
        explain=reasons,
        judge=lambda predictions, labels: evaluate(
            predictions, labels, classes=data.classes, defects=config.defects
        ),
        publish=lambda rnd: _publish(root, rnd, learner, data, quiet),
        codecs=steps,
        truth=simulated.truth if simulated else None,
        spare=SPARE_BATCHES * config.budget.batch if config.oracle.kind == "page" else 0,
    )


def build_learner(
    config: RunConfig, data: Sources, groups: Sequence[str], *, progress: bool
) -> Learner:
    """Build what trains and infers, as the configuration asks."""
    from alvision.training import Learner  # Lightning and timm: seconds, after the first line

    return Learner(
        data.manifest,
        data.hashes,
        data.classes,
        data=config.data,
        model=config.model,
        trainer=config.trainer,
        seed=config.seed,
        groups=groups,
        progress=progress,
        defects=config.defects or (),
    )


def _check_budget(config: RunConfig, pool: int) -> None:
    if not pool:
        raise UserError(
            "every image is held out and none is left to choose from: lower audit.share, or group "
            "fewer images together (data.group_by)"
        )
    initial = 0 if config.budget.initial == "all" else int(config.budget.initial)
    for key, wanted in (("initial", initial), ("batch", config.budget.batch)):
        if wanted > pool:
            raise UserError(
                f"budget.{key}={wanted} is larger than the pool of {pool} images; ask for fewer"
            )


def _strategy(name: str | None, acquire: Callable[..., Any]) -> Strategy:
    try:
        return Strategy(
            str(name),
            acquire,
            needs_of(acquire),
            properties_of(acquire),
            score_of(acquire),
            {slot: _strategy(name, part) for slot, part in parts_of(acquire).items()},
        )
    except ValueError as error:
        raise UserError(f"{name}: {error}") from None


def _spoken(store: LabelStore, resolve: Resolve) -> dict[str, set[str]]:
    """Return who answered each image, wherever they did."""
    return {
        id: {event.by for event in words if event.kind != "import"}
        for id, words in standing(store.events(), resolve).items()
    }


def _publish(root: Path, rnd: Round, learner: Learner, data: Sources, quiet: bool) -> None:
    """Write what is derived from the rounds so far; all of it can be made again."""
    history: list[dict[str, Any]] = []
    last: Round | None = rnd
    while last is not None:
        history.insert(0, last.read("metrics.json"))
        last = last.previous
    write_metrics_table(root / "metrics.csv", history, metric_names())
    if learner.set_aside:
        with (root / "set_aside.csv").open("w", encoding="utf-8", newline="") as file:
            rows = [("id", "reason"), *sorted(learner.set_aside.items())]
            csv.writer(file, lineterminator="\n").writerows(rows)
    if not quiet:
        from alvision.reporting.loggers import tensorboard

        tensorboard.log(root, rnd.number, manifest=data.manifest, spec=data.spec)
