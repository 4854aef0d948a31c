"""Build an experiment from a composed configuration: where all rooms meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.acquisition import k_center, needs_of, parts_of, properties_of, score_of
from alvision.advice.control import labels_saved, saving
from alvision.advice.facts import round_facts
from alvision.advice.signals import signals
from alvision.advice.stopping import signs, stop_here
from alvision.anomaly.maps import places_in
from alvision.anomaly.novelty import FILE as NOVELTY
from alvision.config.checks import PER_CLASS, known_defects, validate_classes
from alvision.core.errors import UserError
from alvision.core.rounds import Codec, Round, finished_rounds, lock, rounds_of
from alvision.core.seeding import derive, generator
from alvision.data.images import UnreadableImage
from alvision.data.pictures import upright_size
from alvision.data.set_aside import write_set_aside
from alvision.dataset.dataset import DataSet
from alvision.dataset.relisting import has_changed
from alvision.dataset.simulation import Simulation, simulation
from alvision.evaluation.audit import evaluate_audit
from alvision.evaluation.metrics import METRICS, Metric, evaluate, metric, metric_names, metrics_of
from alvision.explain.reasons import reasons
from alvision.labels.boxes import boxes
from alvision.labels.consensus import Resolve, answered, consensus
from alvision.labels.ledger import Ledger
from alvision.labels.store import LabelStore
from alvision.loop.again import REPAIR
from alvision.loop.cold_start import check_start
from alvision.loop.experiment import Budget, Experiment, Strategy
from alvision.oracles.files import FilesOracle
from alvision.oracles.page import PageOracle
from alvision.run_folder.experiment_file import describe_run
from alvision.run_folder.fixed_settings import claim_run
from alvision.run_folder.initial_model import as_kept
from alvision.run_folder.round_files import codecs, write_metrics_table

if TYPE_CHECKING:
    import numpy as np

    from alvision.config.compose import ComposedRun
    from alvision.config.schema import RunConfig
    from alvision.core.records import Oracle, SampleId
    from alvision.training import Learner

SPARE_BATCHES = 3
"""Images ranked behind each batch of the page, in batches: work for as long as a model trains."""

WEIGH = {
    "_target_": "alvision.training.losses.generalised_cross_entropy",
    "_partial_": True,
}
"""The loss of `labels.noise=weigh` and `repair`, named as a user's own is."""


def open_data(config: RunConfig) -> DataSet:
    """Open the data set of a run, its classes and parts known and large enough for the budget.

    Raises:
        UserError: The data does not fit the configuration, or the budget does not fit the pool.
    """
    data = DataSet.open(config)
    validate_classes(list(data.classes), config.defects)
    _check_budget(config, len(data.split.pool))
    return data


def build_experiment(
    composed: ComposedRun,
    data: DataSet,
    *,
    stack: ExitStack,
    progress: bool = True,
    wait: bool = False,
) -> Experiment:
    """Build an experiment and take its folder.

    Args:
        composed: The configuration and its strategies.
        data: The data set of that configuration, see `open_data`; its own configuration counts.
        stack: Holds the folder's lock and the label store until it is closed.
        progress: Show progress bars.
        wait: With a page: wait for its people instead of ending.

    Raises:
        UserError: Something in the configuration, the data or the folder does not fit.
    """
    config = data.config
    learner = build_learner(config, data, progress=progress)
    root = Path(str(config.out))
    stack.enter_context(lock(root))
    acquisition, cold_start = _strategies(composed, learner)
    if "novelty" in acquisition.needs | cold_start.needs:
        learner.read_novelty(root / NOVELTY)
    store = stack.enter_context(data.label_store())
    if learner.novelty is not None:
        learner.novelty.left_out = partial(_boxed, store, data, learner.novelty.grid)
    simulated = None if data.answered_by_people else simulation(data)
    # Only what fits takes the folder: a corrected mistake must not find it taken by the mistake.
    described = _description(composed, data, learner)
    run = claim_run(root, described, people=data.answered_by_people)["run"]
    data.keep_split()
    if simulated:
        simulated.begin(store, data.hashes, run)
    steps = codecs(learner, data.classes, audit=data.answered_by_people)
    metrics = metrics_of(config.metrics)
    aim: dict[str, Any] = {
        "classes": data.classes,
        "metric": metric(config.target.metric, metrics),
        "defects": config.defects,
    }
    return Experiment(
        root=root,
        classes=data.classes,
        candidates=data.split.pool,
        evaluation_ids=data.evaluation_ids,
        audit_order=data.audit_order,
        hashes=data.hashes,
        labels=store,
        oracle=_oracle(data, simulated, store, learner, steps, run=run, wait=wait),
        learner=learner,
        acquisition=acquisition,
        cold_start=cold_start,
        contrast=_strategy("k_center", k_center),
        budget=_budget(config),
        generator=lambda round, purpose: generator(config.seed, round, purpose),
        order=partial(derive, config.seed, "order"),
        explain=reasons,
        evaluate=_evaluation(config, data, metrics),
        stop_when=partial(_advised, config) if config.budget.stop == "advice" else None,
        gold=config.labels.gold,
        repair=REPAIR if config.labels.noise == "repair" else 0.0,
        control=config.oracle.control,
        signals=partial(signals, **aim),
        saving=partial(saving, **aim),
        saved=partial(labels_saved, **aim),
        defects=config.defects or (),
        publish=lambda rnd: write_tables(
            root, steps, {**data.manifest.set_aside, **learner.set_aside}, metrics
        ),
        codecs=steps,
        truth=simulated.truth if simulated else None,
        spare=SPARE_BATCHES * config.budget.batch if config.oracle.kind == "page" else 0,
    )


def build_learner(config: RunConfig, data: DataSet, *, progress: bool) -> Learner:
    """Build what trains and infers, as the configuration asks."""
    from alvision.inference.statistics import FILE as STATISTICS
    from alvision.training import Learner  # Lightning and timm: seconds, after the first line

    root = Path(str(config.out))
    trainer = config.trainer
    if config.labels.noise != "off":
        trainer = replace(trainer, loss=WEIGH)
    return Learner(
        data.manifest,
        data.hashes,
        data.classes,
        data=data.config.data,
        model=as_kept(config.model, root),
        trainer=trainer,
        seed=config.seed,
        groups=data.groups,
        pool=data.split.pool,
        statistics=root / STATISTICS,
        progress=progress,
        defects=config.defects or (),
    )


def write_tables(
    root: Path,
    codecs: Mapping[str, Codec],
    set_aside: Mapping[SampleId, str],
    metrics: Sequence[Metric] = METRICS,
) -> None:
    """Write the tables that follow from the finished rounds; they can be made again at any time.

    `metrics.csv` holds every finished round, also those beyond a budget that was lowered since.
    """
    history = [rnd.read("metrics.json") for rnd in finished_rounds(root, codecs)]
    write_metrics_table(root / "metrics.csv", history, metric_names(metrics))
    write_set_aside(root, set_aside)


def _evaluation(
    config: RunConfig, data: DataSet, metrics: Sequence[Metric]
) -> Callable[..., dict[str, Any]]:
    """Return what measures a round's predictions: by the truth, or by what people said so far."""
    measure: Callable[..., dict[str, Any]] = evaluate
    if data.answered_by_people:
        measure = partial(evaluate_audit, target=metric(config.target.metric, metrics))
    return partial(measure, classes=data.classes, defects=config.defects, metrics=metrics)


def _advised(config: RunConfig, history: Sequence[Mapping[str, Any]]) -> bool:
    name, defects = config.target.metric, config.defects or ()
    rounds = [round_facts(row, metric=name, defects=defects) for row in history]
    batch, value = config.budget.batch, config.advice.value_of_error
    return stop_here(signs(rounds, batch=batch, value_of_error=value))


def _description(composed: ComposedRun, data: DataSet, learner: Learner) -> dict[str, Any]:
    return describe_run(
        data.config,
        composed.choices,
        composed.command,
        classes=data.classes,
        precision=learner.engine.precision,
        anonymous=data.answered_by_people,
        manifest=None if data.answered_by_people else data.content_hash,
    )


def _budget(config: RunConfig) -> Budget:
    return Budget(
        initial=None if config.budget.initial == "all" else int(config.budget.initial),
        batch=config.budget.batch,
        rounds=config.budget.rounds,
        audit=config.budget.audit if config.answered_by_people else 0,
        per_class=config.cold_start[PER_CLASS],
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


def _strategies(composed: ComposedRun, learner: Learner) -> tuple[Strategy, Strategy]:
    """Return the acquisition and the cold start, checked against what the learner can compute."""
    acquisition = _strategy(composed.choices["acquisition"], composed.acquire)
    cold_start = _strategy(composed.choices["cold_start"], composed.cold_start)
    for strategy in (acquisition, cold_start):
        learner.check(strategy.needs)
    check_start(cold_start, known_defects=known_defects(composed.config))
    return acquisition, cold_start


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


def _oracle(
    data: DataSet,
    simulated: Simulation | None,
    store: LabelStore,
    learner: Learner,
    steps: Mapping[str, Codec],
    *,
    run: str,
    wait: bool,
) -> Oracle:
    """Return who answers: the data itself, people with a table, or people at the page."""
    config = data.config
    rounds = Path(str(config.out)) / "rounds"
    if simulated:
        return simulated.oracle(run, store)
    if config.oracle.kind == "files":
        return FilesOracle(
            rounds,
            classes=data.classes,
            run=run,
            votes=config.labels.votes,
            path_of=data.manifest.path,
            locate=data.locate,
            answered_elsewhere=partial(_people_by_image, store, data),
            spec=data.spec,
        )
    from alvision.explain.opinions import Opinions
    from alvision.explain.overview import PoolOverview, alternately

    def round_of(number: int) -> Round:
        return rounds_of(rounds.parent, steps, number)[number]

    overview = PoolOverview(
        rounds.parent,
        round_of,
        learner,
        partial(unlabelled, store, data),
        data.hashes,
        config.seed,
    )
    opinions = Opinions(
        round_of,
        learner,
        partial(_pool_labels, store, data.resolve, frozenset(data.split.pool)),
        data.manifest.path,
        data.locate,
        data.hashes,
    )
    return PageOracle(
        store,
        data.resolve,
        data.locate,
        classes=data.classes,
        defects=config.defects or (),
        votes=config.labels.votes,
        changed=partial(has_changed, data),
        meanwhile=lambda query: alternately(opinions(query), overview(query)),
        wait=wait,
    )


def _boxed(store: LabelStore, data: DataSet, grid: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return the places of photographs that people drew a box over, by the photograph's sha256."""
    found = {}
    for id, drawn in boxes(store.events(), data.resolve).items():
        sha256, path = data.hashes.get(id), data.manifest.path(id)
        if sha256 is None or path is None:
            continue
        edges = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in drawn]
        with suppress(UnreadableImage):
            found[sha256] = places_in(edges, grid, upright_size(path, data.spec), data.spec)
    return found


def _people_by_image(store: LabelStore, data: DataSet) -> dict[str, set[str]]:
    """Return who answered each image or a copy of it, by whatever way they did."""
    ledger = Ledger(store, data.resolve, data.classes)
    ledger.refresh()
    return {
        id: {event.by for event in ledger.answers(id) if event.kind != "import"}
        for id in data.manifest.ids
    }


def unlabelled(store: LabelStore, data: DataSet) -> list[SampleId]:
    """Return the images of the pool that nobody has spoken on; of exact duplicates one."""
    taken = answered(store.events(), data.resolve)
    waiting: dict[str, SampleId] = {}
    for id in data.split.pool:
        if id not in taken:
            waiting.setdefault(data.hashes.get(id, id), id)
    return list(waiting.values())


def _pool_labels(
    store: LabelStore, resolve: Resolve, pool: frozenset[SampleId]
) -> dict[SampleId, str]:
    """Return the consensus of now on the images that may be trained on."""
    found = consensus(store.events(), resolve)
    return {id: vote.label for id, vote in found.items() if id in pool}
