"""Which settings go together; what one key may be is on its field in `schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alvision.config.limits import check_limits
from alvision.core.errors import UserError
from alvision.labels.answers import check_classes

if TYPE_CHECKING:
    from alvision.config.schema import ModelConfig, RunConfig, TrainerConfig

PER_CLASS, KNOWN_DEFECTS = "per_class", "known_defects"
"""The keys of `cold_start` that are the run's; the rest of it is the strategy's."""

BY_SEED = "seed"
"""The value of `data.fold` that takes the fold seed mod 5."""

WITHOUT_IMAGES = ("embeddings", "text", "digits")
"""Values of `data.kind` whose data are vectors."""


def validate(config: RunConfig) -> None:
    """Check a configuration before any work.

    Raises:
        UserError: A value is out of its range, or two settings contradict each other.
    """
    check_limits(config)
    _check_metrics(config)
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
    images, tiles = config.data.kind not in WITHOUT_IMAGES, config.data.image.tiles is not None
    if tiles and not images:
        raise UserError(f"data.image.tiles: data={config.data.kind} has no photographs to cut")
    _check_together(config.model, config.trainer, images=images, tiles=tiles)
    _check_turns(config)
    _check_noise(config)
    _check_shown(config)
    _validate_simulation(config)
    if config.labels.url and config.oracle.kind == "simulated":
        raise UserError(
            "labels.url is for what people answer (oracle=files): simulated runs that shared a "
            "store would learn from each other's labels"
        )
    if config.classes is not None:
        validate_classes(config.classes, config.defects)


def _check_shown(config: RunConfig) -> None:
    """Refuse a page with nothing on it, and columns that nobody would see."""
    data = config.data
    named = {
        key: getattr(data, key) for key in ("text_column", "image_column") if getattr(data, key)
    }
    if named and data.kind not in ("embeddings", "text") and data.source is None:
        key = next(iter(named))
        raise UserError(f"data.{key} is for data=text and data=embeddings, not data={data.kind}")
    if data.text_model and data.kind != "text":
        raise UserError(f"data.text_model is for data=text, not data={data.kind}")
    if config.oracle.kind == "page" and data.kind in WITHOUT_IMAGES and not named:
        does = "name data.text_column or data.image_column, or " * (data.kind == "embeddings")
        raise UserError(
            f"data={data.kind} has no images to show; {does}let people answer by oracle=files"
        )


def _check_metrics(config: RunConfig) -> None:
    if config.metrics is None and config.target.metric == type(config.target).metric:
        return  # the default is known to be right, and the list of metrics costs numpy's import
    from alvision.evaluation.metrics import metric_names, metrics_of

    names = metric_names(metrics_of(config.metrics))
    if config.target.metric not in names:
        raise UserError(
            f"target.metric={config.target.metric} is unknown; one of: {', '.join(names)}"
        )


def validate_training(
    model: ModelConfig, trainer: TrainerConfig, *, images: bool, tiles: bool = False
) -> None:
    """Check the settings of a network and its training when there is no run around them.

    Args:
        model: The network.
        trainer: Its training.
        images: The data are images; else vectors, so that there is no trunk to train.
        tiles: The images are cut into tiles.

    Raises:
        UserError: A value is out of its range, or two settings contradict each other.
    """
    check_limits(model, "model.")
    check_limits(trainer, "trainer.")
    _check_together(model, trainer, images=images, tiles=tiles)


def _check_noise(config: RunConfig) -> None:
    """Refuse to weigh labels where something else says what the loss is."""
    noise = config.labels.noise
    if noise == "off":
        return
    if config.trainer.loss is not None:
        raise UserError(
            f"labels.noise={noise} and trainer.loss are two losses; set labels.noise=off, or "
            "trainer.loss=null"
        )
    if config.model.head == "ensemble":
        raise UserError(
            f"labels.noise={noise} is for one head, and an ensemble has a loss of its own for all "
            "its members; set model.head=dropout or linear"
        )


def _check_turns(config: RunConfig) -> None:
    """Refuse quarter turns of images that are not square: a batch has one shape."""
    size = config.data.image.size
    if not isinstance(size, list) or all(side == size[0] for side in size):
        return
    for key, value, instead in (
        ("model.views", config.model.views, "flips"),
        ("trainer.augment", config.trainer.augment, "light"),
    ):
        if value in ("flips_and_turns", "full"):
            raise UserError(
                f"{key}={value} turns images by a quarter, and data.image.size={size} is not "
                f"square; set {key}={instead}"
            )


def _check_together(
    model: ModelConfig, trainer: TrainerConfig, *, images: bool, tiles: bool
) -> None:
    if model.init is not None and not images:
        raise UserError("model.init names a network, and these data have no images to look at")
    if model.training == "auto":
        return  # what cannot be finetuned stays frozen, and the report says why
    if model.training == "frozen":
        if model.drop_path is not None:
            raise UserError(
                "model.drop_path is for a trunk that trains; set model.training=finetune"
            )
        return
    if model.semi is not None:
        raise UserError(
            "model.semi is for a head on frozen features; set model.training=frozen or auto"
        )
    if not images:
        raise UserError("these data have no images to finetune on; set model.training=frozen")
    if tiles:
        raise UserError(
            f"model.training={model.training} would train on every tile of a photograph at once; "
            "with data.image.tiles set model.training=frozen"
        )
    if model.engine != "eager":
        raise UserError(
            f"model.engine={model.engine} prepares a network once, and a finetuned one is another "
            "in every round; set model.training=frozen, or model.engine=eager"
        )
    if model.head == "ensemble":
        raise UserError(
            "model.head=ensemble trains K heads at once on frozen features, not K whole networks; "
            "set model.training=frozen, or model.head=dropout to finetune"
        )
    if trainer.batch_size < 2 * trainer.devices:
        raise UserError(
            f"trainer.batch_size={trainer.batch_size}: batch norm needs at least 2 images a step "
            "on each device"
        )


def _validate_simulation(config: RunConfig) -> None:
    share, known = config.data.defect_share, known_defects(config)
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
        UserError: Fewer than two classes, a name that no table can hold, or a defect
            that is not a class.
    """
    if len(classes) < 2:
        name = classes[0] if classes else "ok"
        raise UserError(
            f"classes={classes} needs at least two names, also where only good parts are known: "
            f'e.g. "classes=[{name},worn]" "defects=[worn]"'
        )
    check_classes(classes)
    unknown = [name for name in defects or [] if name not in classes]
    if unknown:
        raise UserError(f"defects: {', '.join(unknown)} is not among classes={classes}")
