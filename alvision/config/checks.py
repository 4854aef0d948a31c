"""What a schema cannot say: ranges, names and combinations of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alvision.core.doors import is_node
from alvision.core.errors import UserError
from alvision.evaluation.metrics import metric_names
from alvision.labels.answers import check_classes

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

PER_CLASS, KNOWN_DEFECTS = "per_class", "known_defects"
"""The keys of `cold_start` that are the run's; the rest of it is the strategy's."""

BY_SEED = "seed"
"""The value of `data.fold` that takes the fold seed mod 5."""

WITHOUT_IMAGES = ("embeddings", "digits")
"""Values of `data.kind` whose data are vectors."""

_CHOICES = {
    "oracle.kind": ("simulated", "files", "page"),
    "model.features": ("final", "multilevel"),
    "model.views": ("none", "flips", "flips_and_turns"),
    "model.engine": ("eager", "compile", "openvino"),
    "model.training": ("frozen", "finetune"),
    "model.head": ("dropout", "linear", "ensemble"),
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.strategy": ("auto", "ddp"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "trainer.augment": ("none", "light", "full"),
    "target.metric": metric_names(),
    "data.group_by": ("none", "column", "parent", "pattern", "capture_time"),
}
_OWN = ("model.head", "trainer.augment")
"""Keys that take one of these names, or a mapping with `_target_`: a part of the user's own."""
_FROM_ONE = (
    "budget.batch",
    "model.passes",
    "trainer.batch_size",
    "trainer.devices",
    "trainer.head_steps",
    "trainer.epochs",
    "trainer.patience",
    "labels.votes",
    "data.repeats",
    "data.image.size",
)
_FROM_ZERO = ("budget.rounds", "budget.audit", "model.hidden", "seed", "trainer.weight_decay")
_SHARES = ("audit.share", "trainer.validation_share")
_ABOVE_ZERO = ("trainer.learning_rate", "trainer.head_learning_rate", "data.burst_seconds")


def validate(config: RunConfig) -> None:
    """Check a configuration before any work.

    Raises:
        UserError: A value is out of its range, or two settings contradict each other.
    """
    for key, allowed in _CHOICES.items():
        value = _get(config, key)
        if value not in allowed and not (key in _OWN and is_node(value)):
            raise UserError(f"{key}={value} is unknown; one of: {', '.join(allowed)}")
    for key in _FROM_ONE:
        if _get(config, key) < 1:
            raise UserError(f"{key}={_get(config, key)} must be at least 1")
    for key in _FROM_ZERO:
        if _get(config, key) < 0:
            raise UserError(f"{key}={_get(config, key)} must not be negative")
    for key in _SHARES:
        if not 0 < _get(config, key) < 1:
            raise UserError(f"{key}={_get(config, key)} must lie between 0 and 1, both excluded")
    for key in _ABOVE_ZERO:
        if _get(config, key) <= 0:
            raise UserError(f"{key}={_get(config, key)} must be above 0")
    if not 0 <= config.model.dropout < 1:
        raise UserError(f"model.dropout={config.model.dropout} must be at least 0 and below 1")
    initial = config.budget.initial
    if initial != "all" and (type(initial) is not int or initial < 0):
        raise UserError(f"budget.initial={initial} must be a whole number from 0, or all")
    if isinstance(config.cold_start, dict):
        for key in (PER_CLASS, KNOWN_DEFECTS):
            least = config.cold_start.get(key, 0)
            if type(least) is not int or least < 0:
                raise UserError(
                    f"cold_start.{key}={least} must be a whole number of labels, at least 0"
                )
    fold = config.data.fold
    if fold not in (None, BY_SEED) and (type(fold) is not int or not 0 <= fold < 5):
        raise UserError(f"data.fold={fold} must be 0, 1, 2, 3, 4 or {BY_SEED}")
    if config.data.kind in WITHOUT_IMAGES and config.model.training != "frozen":
        raise UserError(
            f"data={config.data.kind} has no images to finetune on; use model.training=frozen"
        )
    if not 1 <= config.page.port <= 65535:
        raise UserError(f"page.port={config.page.port} must lie between 1 and 65535")
    if config.oracle.kind == "page" and config.data.kind in WITHOUT_IMAGES:
        raise UserError(
            f"data={config.data.kind} has no images to show; let people answer by oracle=files"
        )
    _validate_simulation(config)
    if config.labels.url and config.oracle.kind == "simulated":
        raise UserError(
            "labels.url is for what people answer (oracle=files): simulated runs that shared a "
            "store would learn from each other's labels"
        )
    if config.classes is not None:
        validate_classes(config.classes, config.defects)


def _validate_simulation(config: RunConfig) -> None:
    share, known = config.data.defect_share, known_defects(config)
    if share is not None and not 0 < share < 1:
        raise UserError(f"data.defect_share={share} must lie between 0 and 1, both excluded")
    if (share is not None or known) and not config.defects:
        key = "data.defect_share" if share is not None else f"cold_start.{KNOWN_DEFECTS}"
        raise UserError(f"{key} needs defects=[...]: which classes are defects")
    oracle = config.oracle
    if oracle.graded and oracle.confusion:
        raise UserError("oracle.graded and oracle.confusion are two ways to err; choose one")
    given = {
        "data.defect_share": share,
        f"cold_start.{KNOWN_DEFECTS}": known,
        "oracle.confusion": oracle.confusion,
        "oracle.graded": oracle.graded,
        "oracle.seconds": oracle.seconds,
    }
    for key, value in given.items():
        if value and oracle.kind != "simulated":
            raise UserError(f"{key} is for simulated runs, and with oracle={oracle.kind} people do")


def known_defects(config: RunConfig) -> int:
    """Return the number of defects that a simulated run knows before it begins."""
    node = config.cold_start
    return node.get(KNOWN_DEFECTS, 0) if isinstance(node, dict) else 0


def validate_classes(classes: list[str], defects: list[str] | None) -> None:
    """Check the class list, wherever it came from.

    Raises:
        UserError: Fewer than two classes, a name no table can hold, a defect that is no class.
    """
    if len(classes) < 2:
        raise UserError(f'classes={classes} needs at least two names, e.g. "classes=[ok,worn]"')
    check_classes(classes)
    unknown = [name for name in defects or [] if name not in classes]
    if unknown:
        raise UserError(f"defects: {', '.join(unknown)} is not among classes={classes}")


def _get(config: RunConfig, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value
