"""Build an experiment from its configuration: where all rooms meet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.acquisition import needs_of, properties_of, score_of
from alvision.data.hashes import content_hashes
from alvision.data.images import ImageSpec
from alvision.data.manifest import Manifest, build
from alvision.data.splits import Split, audit_split, group_keys, image_key, simulated_split
from alvision.document import document
from alvision.errors import UserError
from alvision.evaluation.metrics import METRICS, evaluate
from alvision.explain.reasons import reasons
from alvision.labels.content import resolver
from alvision.labels.location import audit_location, labels_location, read_audit, write_audit
from alvision.labels.store import LabelStore
from alvision.learner import Learner
from alvision.loop import Budget, Experiment, Strategy
from alvision.oracles.files import FilesOracle
from alvision.oracles.simulated import SimulatedOracle
from alvision.page_run import SPARE_BATCHES, page_oracle
from alvision.reporting import tensorboard
from alvision.round_files import codecs, write_metrics_table
from alvision.rounds import Round, claim, lock
from alvision.seeding import derive, generator
from alvision.validation import validate, validate_classes

if TYPE_CHECKING:
    from alvision.config import RunConfig


@dataclass(frozen=True)
class Sources:
    """The data of a configuration, looked at once."""

    manifest: Manifest
    hashes: Mapping[str, str]
    spec: ImageSpec
    classes: tuple[str, ...]


def sources(config: RunConfig) -> Sources:
    """Read the data set that a configuration names.

    Raises:
        UserError: There is none, or its classes are not those of the configuration.
    """
    validate(config)
    spec = ImageSpec.from_config(config.data.image)
    manifest = build(config.data)
    return Sources(manifest, content_hashes(manifest), spec, _classes(config, manifest))


def people(config: RunConfig) -> bool:
    """Tell whether people answer, not the truth."""
    return config.oracle.kind != "simulated"


def label_store(config: RunConfig) -> LabelStore:
    """Open the store that a configuration's labels live in.

    With people one store for the data, beside its root; in a simulated run one in the run's folder.
    """
    if config.labels.url:
        return LabelStore(config.labels.url, shared=people(config))
    return LabelStore(_labels_path(config), shared=people(config))


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

    Raises:
        UserError: Something in the configuration, the data or the folder does not fit.
    """
    data = sources(config)
    config.classes = list(data.classes)
    groups = group_keys(data.manifest, data.hashes)
    learner = build_learner(config, data, groups, progress=not quiet)
    config.trainer.precision = learner.engine.precision
    root = Path(str(config.out))
    stack.enter_context(lock(root))
    acquisition = _strategy(choices["acquisition"], acquire)
    starting = _strategy(choices["cold_start"], cold_start)
    for strategy in (acquisition, starting):
        learner.check(strategy.needs)
    store = stack.enter_context(label_store(config))
    audit = audit_location(store.path, data.manifest.root) if people(config) else None
    split, parts = _split(config, data.manifest, groups, audit)
    _check_budget(config, len(split.pool))
    # Only what fits takes the folder: a mistake put right must not find it held by the mistake.
    claimed = claim(root, document(config, choices, command, anonymous=people(config)))
    if audit and parts:
        write_audit(audit, parts)
    truth = None
    if not people(config):
        truth = {i: t for i, t in zip(data.manifest.ids, data.manifest.truth, strict=True) if t}
    budget = Budget(
        initial=None if config.budget.initial == "all" else int(config.budget.initial),
        batch=config.budget.batch,
        rounds=config.budget.rounds,
        audit=config.budget.audit if people(config) else 0,
    )
    steps = codecs(learner, data.classes)
    oracle = _oracle(config, data, claimed["run"], root, truth)
    if oracle is None:
        oracle = page_oracle(
            config, root, store=store, resolve=resolver(data.manifest.ids, data.hashes),
            learner=learner, manifest=data.manifest, pool=split.pool, codecs=steps, wait=wait,
        )  # fmt: skip
    return Experiment(
        root=root,
        classes=data.classes,
        candidates=split.pool,
        evaluation_ids=split.held_out if truth is not None else split.monitor,
        audit_order=_audit_order(split) if people(config) else (),
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
        truth=truth,
        spare=SPARE_BATCHES * config.budget.batch if config.oracle.kind == "page" else 0,
    )


def build_learner(
    config: RunConfig, data: Sources, groups: Sequence[str], *, progress: bool
) -> Learner:
    """Build what trains and infers, as the configuration asks."""
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
    )


def _classes(config: RunConfig, manifest: Manifest) -> tuple[str, ...]:
    found = sorted({name for name in manifest.truth if name is not None})
    if config.classes is None:
        if people(config):
            raise UserError('classes= is missing: say what can be answered, "classes=[ok,worn]"')
        if not found:
            raise UserError(
                f"{manifest.root} says no image's class, so nothing can be simulated; give class "
                "folders or a label column, or let people answer (oracle=files)"
            )
        validate_classes(found, config.defects)
        return tuple(found)
    strange = [name for name in found if name not in config.classes]
    if strange and not people(config):
        raise UserError(
            f"the data has the class {', '.join(map(repr, strange[:3]))}, which "
            f"classes={config.classes} does not name; add it, or mend the data"
        )
    return tuple(config.classes)


def split_of(config: RunConfig, manifest: Manifest, groups: tuple[str, ...]) -> Split:
    """Return the parts of a data set as the configured run has them; nothing is written."""
    audit = audit_file(config, manifest) if people(config) else None
    return _split(config, manifest, groups, audit)[0]


def audit_file(config: RunConfig, manifest: Manifest) -> Path:
    """Return the file that says, with people, which part each group belongs to."""
    with label_store(config) as store:
        return audit_location(store.path, manifest.root)


def _split(
    config: RunConfig, manifest: Manifest, groups: tuple[str, ...], audit: Path | None
) -> tuple[Split, dict[str, str]]:
    """Split the images; with people (`audit`), also return the parts to keep if any is new."""
    if audit is None:
        split = simulated_split(
            manifest,
            groups,
            seed=config.seed,
            share=config.audit.share,
            fold=config.data.fold,
        )
        return split, {}
    known = read_audit(audit)
    split = audit_split(manifest.ids, groups, share=config.audit.share, known=known)
    parts = dict(known)
    for id, group in zip(manifest.ids, groups, strict=True):
        # A joined group's name changes when an exact duplicate arrives; an id never does.
        parts.setdefault(group, split.part(id))
        parts.setdefault(image_key(id), split.part(id))
    return split, parts if parts != known else {}


def _audit_order(split: Split) -> tuple[str, ...]:
    """Shuffle the parts once for ever and alternate them, so that both grow together."""
    monitor, seal = (
        sorted(ids, key=lambda id: derive(0, "audit", id)) for ids in (split.monitor, split.seal)
    )
    order = []
    for i in range(max(len(monitor), len(seal))):
        order += monitor[i : i + 1] + seal[i : i + 1]
    return tuple(order)


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
            str(name), acquire, needs_of(acquire), properties_of(acquire), score_of(acquire)
        )
    except ValueError as error:
        raise UserError(f"{name}: {error}") from None


def _oracle(
    config: RunConfig,
    data: Sources,
    run: str,
    root: Path,
    truth: Mapping[str, str] | None,
) -> Any:
    if truth is not None:
        return SimulatedOracle(truth, run)
    if config.oracle.kind == "page":
        return None
    return FilesOracle(
        root / "rounds",
        classes=data.classes,
        run=run,
        votes=config.labels.votes,
        path_of=data.manifest.path,
    )


def _labels_path(config: RunConfig) -> Path:
    if people(config):
        if config.data.root is None:
            raise UserError("data.root= is missing: the folder whose labels are meant")
        return labels_location(Path(config.data.root))
    return Path(str(config.out)) / "labels.db"


def _publish(root: Path, rnd: Round, learner: Learner, data: Sources, quiet: bool) -> None:
    """Write what is derived from the rounds so far; all of it can be made again."""
    history: list[dict[str, Any]] = []
    last: Round | None = rnd
    while last is not None:
        history.insert(0, last.read("metrics.json"))
        last = last.previous
    write_metrics_table(root / "metrics.csv", history, METRICS)
    if learner.set_aside:
        with (root / "set_aside.csv").open("w", encoding="utf-8", newline="") as file:
            rows = [("id", "reason"), *sorted(learner.set_aside.items())]
            csv.writer(file, lineterminator="\n").writerows(rows)
    if not quiet:
        tensorboard.log(root, rnd.number, manifest=data.manifest, spec=data.spec)
