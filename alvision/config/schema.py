"""The configuration's schema: a typo in a key or a wrong type fails before any work.

Every key that a user may set is here, with its meaning and the values that it may have; the
defaults are those of `configs/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from alvision.config.limits import above, at_least, between, choice, choice_or_own

if TYPE_CHECKING:
    from omegaconf import DictConfig


MISSING: Any = "???"
"""OmegaConf's mark of a value that must be set; written out so that the schema needs no import."""


@dataclass(frozen=True)
class ImageConfig:
    """Describe how a file becomes the array that a network sees; stored with every model.

    Attributes:
        size: Side of the square that the network sees, in pixels; or [height, width], for
            photographs of strips; null: the size that the network was made for.
        fit: squash | letterbox | crop: a region of other proportions is stretched, is laid whole
            between bars of grey, or fills the frame with its middle (docs/image-shape.md).
        roi: Region of interest: outside it all is grey, and its bounding box is used instead of
            `crop`. The corners of a polygon, [[x,y],[x,y],[x,y]], or a box,
            [left, top, right, bottom], as fractions 0..1 of the photograph.
        tiles: For small defects on large photographs: auto cuts each into tiles of `size` that
            overlap, at its own resolution; a number: shrinks it first to at most so many; null: the
            whole photograph becomes one image of that size (docs/tiles.md).
        crop: Region of the photograph to use, [left, top, right, bottom] as fractions 0..1.
        value_range: Raw values [black, white] of images deeper than 8 bits; null: the full range of
            the type; `auto`: the depth that the images use, measured when a run starts and kept.
        reduced: Decode large JPEGs at a half, a quarter or an eighth of their size: less work, and
            grey values that differ a little.
        page: Page to read of files with several, from 0; null: such files are set aside.
    """

    size: Any = 224
    fit: str = field(default="squash", metadata=choice("squash", "letterbox", "crop"))
    roi: Any = None
    tiles: Any = None
    crop: list[float] | None = None
    value_range: Any = None
    reduced: bool = False
    page: int | None = field(default=None, metadata=at_least(0))


@dataclass(frozen=True)
class DataConfig:
    """Say where the images are and what is known about them.

    Attributes:
        kind: folder | class_folders | csv | parquet | manifest | embeddings | text | elpv | xsdd |
            digits | torchvision; with `source`, any name.
        source: A reader of your own, `{_target_: my_source.parts, _partial_: true}`
            (docs/extending.md); null: the one that `kind` names.
        root: Folder that the ids are relative to, or an address of storage, s3://BUCKET/PREFIX,
            gs://, az:// or https:// (docs/pools.md).
        file: The CSV or Parquet file, relative to the root or absolute.
        path_column: Column with the image's path relative to the root (embeddings, text: its id).
        label_column: Column with the class, if there is one.
        group_column: Column whose rows must not straddle train and test.
        split_column: Column with `train` or `test`; wins over the random split.
        features_column: Column with the embedding (kind embeddings).
        text_column: Column with the text that people read and answer (kinds text and embeddings).
        image_column: Column with an image beside it, relative to the root (the same kinds).
        text_model: Folder of a model of sentence-transformers that makes the features of texts
            (kind text); null: TF-IDF and a singular value decomposition of the pool.
        group_by: none | column | parent | pattern | capture_time.
        group_pattern: Regular expression on the id; its first group (or the match) names the group.
        burst_seconds: Images taken within this time of the previous one are one group.
        fold: Use this fold (0..4) as test part instead of a random share; `seed`: the fold
            seed mod 5; null: a random share by seed.
        defect_share: Simulated runs only: thin the defects of the pool, none of the test part, to
            this share of it; null: as the data has them.
        defect_threshold: ELPV only: a cell is defective above this defect probability.
        dataset: torchvision only: CIFAR10 | MNIST | FashionMNIST | KMNIST.
        repeats: digits only: copies of each image, each with noise of its own; 1: plain.
        image: The evaluation transform.
    """

    kind: str = MISSING
    source: Any = None
    root: str | None = None
    file: str | None = None
    path_column: str = "path"
    label_column: str | None = "label"
    group_column: str | None = "group"
    split_column: str | None = "split"
    features_column: str = "features"
    text_column: str | None = None
    image_column: str | None = None
    text_model: str | None = None
    group_by: str = field(
        default="none", metadata=choice("none", "column", "parent", "pattern", "capture_time")
    )
    group_pattern: str | None = None
    burst_seconds: float = field(default=5.0, metadata=above(0))
    fold: Any = None
    defect_share: float | None = field(default=None, metadata=between(above=0, below=1))
    defect_threshold: float = 0.5
    dataset: str | None = None
    repeats: int = field(default=1, metadata=at_least(1))
    image: ImageConfig = field(default_factory=ImageConfig)


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        backbone: A network of torchvision or timm by name, with timm's tag if you like
            (vit_small_patch14_dinov2.lvd142m); `timm:NAME` or `torchvision:NAME` to insist;
            `hf_hub:ORGANISATION/NAME` or `local-dir:FOLDER`, a model that timm saved; or a network
            of your own, `{_target_: my_net.make}` (docs/backbones.md).
        weights: auto (packaged, or downloaded: those the name stands for) | null (random) | a file,
            whatever a training put around its tensors | a folder | `hf_hub:ORGANISATION/NAME`.
        init: Folder of a run, or a bundle, whose final model this run's networks start from: its
            trunk and, where the classes agree, its head (docs/finetuning.md); null: they start
            from `weights`.
        features: final (the pooled output; of a transformer the mean of its patches and its class
            token) | multilevel (mean and maximum of the last stages, or of three blocks, too).
        views: none | flips | flips_and_turns: features are averaged over these views of an image;
            for parts without up and down.
        engine: eager | compile (PyTorch's compiler; needs a C++ compiler) | openvino (on a
            processor; pip install alvision[openvino]): what runs the network over the pool.
        training: frozen (features once, then only the head) | finetune (the whole net) | auto
            (rounds are frozen; for the final model of `alvision train` a frozen and a finetuned
            network and the mean of both compete on the labelled images).
        semi: entropy (a head on frozen features also learns to be sure of the pool's images that
            nobody has labelled: for classes of like size, since it harms where defects are rare;
            docs/features.md) | null: it learns from labels alone.
        drop_path: Finetune only: probability that the trunk's last residual branch is dropped
            (stochastic depth); such a trunk is sampled K times too; null: as the library has it.
        head: dropout (Monte-Carlo dropout) | linear (deterministic) | ensemble (K heads on frozen
            features, trained at once); or one of your own, `{_target_: my_head.make, ...}`.
        hidden: Width of the head's hidden layer; 0: none.
        dropout: Probability that the dropout head drops a unit.
        passes: K, for every strategy alike: stochastic passes of the dropout head, members of the
            ensemble; 1 for a deterministic head.
    """

    backbone: Any = "tf_efficientnet_lite0"
    weights: str | None = "auto"
    init: str | None = None
    features: str = field(default="final", metadata=choice("final", "multilevel"))
    views: str = field(default="none", metadata=choice("none", "flips", "flips_and_turns"))
    engine: str = field(default="eager", metadata=choice("eager", "compile", "openvino"))
    training: str = field(default="frozen", metadata=choice("frozen", "finetune", "auto"))
    semi: str | None = field(default=None, metadata=choice("entropy"))
    drop_path: float | None = field(default=None, metadata=between(at_least=0, below=1))
    head: Any = field(default="dropout", metadata=choice_or_own("dropout", "linear", "ensemble"))
    hidden: int = field(default=0, metadata=at_least(0))
    dropout: float = field(default=0.2, metadata=between(at_least=0, below=1))
    passes: int = field(default=20, metadata=at_least(1))


@dataclass(frozen=True)
class TrainerConfig:
    """Say how the network is trained and run.

    Attributes:
        accelerator: auto | cpu | gpu.
        devices: Number of devices; each gets a process, on a processor a share of its cores.
        strategy: auto (one device) | ddp (several: DistributedDataParallel).
        precision: auto | 32-true | bf16-mixed | 16-mixed; auto takes what the hardware does best.
        batch_size: Images a step, in training and in pool inference.
        num_workers: Threads that decode and augment images; null: one a core, at most 8.
        memory_map: Keep features and log-probabilities that a strategy reads in a memory map on
            disk, in half precision: for pools that do not fit into memory.
        class_weights: Weight the loss by n / (classes seen * n of the class).
        head_steps: Full-batch steps of a frozen round.
        head_learning_rate: Peak learning rate of a frozen round.
        epochs: Most epochs of a finetune round.
        learning_rate: Peak learning rate of a finetune round.
        weight_decay: AdamW's weight decay, both ways of training.
        validation_share: Share of the labelled groups held back for early stopping (finetune),
            where that makes at least 200 images; 0: none is, and every epoch is trained.
        patience: Epochs without improvement before a finetune round stops.
        augment: none | light | full: albumentations on training images (finetune); or a pipeline of
            your own, `{_target_: albumentations.Compose, transforms: [...]}`.
        loss: A loss of your own, `{_target_: my_loss.f, _partial_: true}`; null: cross entropy.
        optimizer: An optimiser of your own, `{_target_: torch.optim.SGD, _partial_: true}`; null:
            AdamW.
        schedule: A schedule of the rate of your own, called with the optimiser and the steps of the
            fit, `{_target_: torch.optim.lr_scheduler.PolynomialLR, _partial_: true}`; null: a
            cosine decay, after a warm-up where a trunk with weights is finetuned.
        gradient_clip: Longest gradient of a step; a longer one is shortened to it. null: none is.
        accumulate: Batches whose gradients make one step (finetune).
        callbacks: Lightning callbacks of your own, a list of `{_target_: ...}`; null: none.
    """

    accelerator: str = field(default="auto", metadata=choice("auto", "cpu", "gpu"))
    devices: int = field(default=1, metadata=at_least(1))
    strategy: str = field(default="auto", metadata=choice("auto", "ddp"))
    precision: str = field(
        default="auto", metadata=choice("auto", "32-true", "bf16-mixed", "16-mixed")
    )
    batch_size: int = field(default=32, metadata=at_least(1))
    num_workers: int | None = field(default=None, metadata=at_least(0))
    memory_map: bool = False
    class_weights: bool = True
    head_steps: int = field(default=80, metadata=at_least(1))
    head_learning_rate: float = field(default=0.01, metadata=above(0))
    epochs: int = field(default=12, metadata=at_least(1))
    learning_rate: float = field(default=0.0002, metadata=above(0))
    weight_decay: float = field(default=0.01, metadata=at_least(0))
    validation_share: float = field(default=0.2, metadata=between(at_least=0, below=1))
    patience: int = field(default=6, metadata=at_least(1))
    augment: Any = field(default="light", metadata=choice_or_own("none", "light", "full"))
    loss: Any = None
    optimizer: Any = None
    schedule: Any = None
    gradient_clip: float | None = field(default=None, metadata=above(0))
    accumulate: int = field(default=1, metadata=at_least(1))
    callbacks: Any = None


@dataclass(frozen=True)
class BudgetConfig:
    """Limit how many answers are asked for.

    Attributes:
        initial: Labels to start from (known ones count); `all` labels the whole pool.
        batch: Images a round.
        rounds: Rounds after the cold start.
        audit: With people: audit images a round, on top of the batch.
        stop: advice (the run ends before its last round where the signs of docs/advice.md say that
            more labels do not pay) | null: it has all its rounds.
    """

    initial: Any = 20
    batch: int = field(default=20, metadata=at_least(1))
    rounds: int = field(default=10, metadata=at_least(0))
    audit: int = field(default=4, metadata=at_least(0))
    stop: str | None = field(default=None, metadata=choice("advice"))


@dataclass(frozen=True)
class AdviceConfig:
    """What advice weighs labels against (docs/advice.md).

    Attributes:
        value_of_error: Answers that one percentage point of target.metric is worth; with it advice
            says stop once the next batch costs more than it is expected to bring. null: not known.
    """

    value_of_error: float | None = field(default=None, metadata=above(0))


@dataclass(frozen=True)
class AuditConfig:
    """Say how much is held out.

    Attributes:
        share: Share of the groups: the test part of a simulated run, the audit part with people.
    """

    share: float = field(default=0.2, metadata=between(above=0, below=1))


@dataclass(frozen=True)
class OracleConfig:
    """Say who answers.

    Attributes:
        kind: simulated (the truth) | files (people fill in a table) | page (people answer in the
            browser, `alvision label`).
        confusion: Simulated only: how often a class is called another, {ok: {worn: 0.1}}.
        graded: Simulated only: answer as often as the data's own graded opinion says (ELPV).
        seconds: Simulated only: what an answer costs, a number or one by class, {ok: 3, worn: 8};
            their sum is the column `seconds` of metrics.csv.
        control: Share of each batch that is drawn at random, so that the run itself says what
            choosing saves; .1 is one in ten, and each round then fits four more models.
    """

    kind: str = field(default="simulated", metadata=choice("simulated", "files", "page"))
    confusion: Any = None
    graded: bool = False
    seconds: Any = None
    control: float = field(default=0.0, metadata=between(at_least=0, below=1))


@dataclass(frozen=True)
class TargetConfig:
    """Name the score that a study counts labels to.

    Attributes:
        metric: A column of metrics.csv, one of your own `metrics` too.
        value: The score to reach; null: .95 of the full-data score.
    """

    metric: str = "macro_f1"
    value: float | None = None


@dataclass(frozen=True)
class LabelsConfig:
    """Say where people's labels are kept, and how many settle an image.

    Attributes:
        url: A file for them, or postgresql+psycopg://USER@HOST/DATABASE; null: beside data.root.
        votes: People who answer each image; from 2 on, more where they or the model disagree.
        experts: People who get unsure and disputed images first.
        noise: weigh (a label counts the less, the less the model believes it while it learns: for
            answers of which many are wrong; docs/labels.md) | repair (besides, a part of each batch
            asks the labels again that are most likely wrong) | off: all labels count alike.
        gold: Share of each batch that asks images again whose class is sure, blind, to measure who
            confuses what (`alvision labels people`); .05 is one in twenty.
    """

    url: str | None = None
    votes: int = field(default=1, metadata=at_least(1))
    experts: list[str] = field(default_factory=list)
    noise: str = field(default="off", metadata=choice("off", "weigh", "repair"))
    gold: float = field(default=0.0, metadata=between(at_least=0, below=1))


@dataclass(frozen=True)
class PageConfig:
    """The page that people label on (`alvision label`).

    Attributes:
        host: Address to listen on; 0.0.0.0: the local network too, but only with the link.
        port: Port; keep it, because a browser that was cut off stores its answers by address and
            port.
        open: Open the browser.
        blind: Show what the model thinks only after the answer.
        language: de | en | es | fr | pl | pt | zh; null: the first of these that the browser asks
            for, else English.
    """

    host: str = "127.0.0.1"
    port: int = field(default=8642, metadata=between(at_least=1, at_most=65535))
    open: bool = True
    blind: bool = False
    language: str | None = field(
        default=None, metadata=choice("de", "en", "es", "fr", "pl", "pt", "zh")
    )


@dataclass(frozen=True)
class RunConfig:
    """Hold every setting of a run.

    Attributes:
        name: First part of the default `out`; null: the experiment's or the root's name.
        out: The run's folder; null: runs/<name>/<acquisition>/seed-<seed>.
        seed: Split, cold start, training and selection all follow from it.
        classes: Class names; null in a simulated run: the classes of the data.
        defects: The classes that are defects; escape and overkill rates need it.
        acquisition: The strategy, from configs/acquisition.
        cold_start: The strategy without a model, from configs/cold_start; it chooses until there
            is one, and then on until each class seen has cold_start.per_class=0 labels, but asks
            for no more than budget.initial images beyond the first round. In a simulated run
            cold_start.known_defects=0 defects are known beforehand, at no cost, and no good parts.
        metrics: Metrics of your own, a list of nodes with `_target_`; columns of metrics.csv after
            the shipped ones, and values of target.metric. null: the shipped ones.
        logger: Where rounds are logged too, from configs/logger; TensorBoard's files are always
            written.
        debug: Show tracebacks.
    """

    name: str | None = None
    out: str | None = None
    seed: int = field(default=0, metadata=at_least(0))
    debug: bool = False
    classes: list[str] | None = None
    defects: list[str] | None = None
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    acquisition: Any = MISSING
    cold_start: Any = MISSING
    oracle: OracleConfig = field(default_factory=OracleConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    advice: AdviceConfig = field(default_factory=AdviceConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    page: PageConfig = field(default_factory=PageConfig)
    metrics: Any = None
    logger: Any = None

    @property
    def answered_by_people(self) -> bool:
        """Tell whether people answer; else the data's own classes do (a simulated run)."""
        return self.oracle.kind != "simulated"


@cache  # Hydra copies what it is given, and making the schema is a tenth of composing a run
def register() -> None:
    """Make the schema known to Hydra, so that `configs/run.yaml` is checked against it."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=schema())


def schema() -> DictConfig:
    """Return the schema as a node that values can be merged into.

    OmegaConf makes a frozen dataclass a read-only node, but a configuration is still written while
    it is composed; it is frozen once it is a `RunConfig`.
    """
    from omegaconf import DictConfig, OmegaConf

    def make_writable(node: DictConfig) -> None:
        OmegaConf.set_readonly(node, None)
        for key in node:
            child = node._get_node(key)
            if isinstance(child, DictConfig):
                make_writable(child)

    node: DictConfig = OmegaConf.structured(RunConfig)
    make_writable(node)
    return node
