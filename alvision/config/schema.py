"""The configuration's schema: a typo in a key or a wrong type fails before any work.

`configs/` holds the values; every key that a user may set stands here with its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alvision.config.schema_data import MISSING, DataConfig
from alvision.config.schema_data import ImageConfig as ImageConfig

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        backbone: A torchvision or timm CNN by name; `timm:NAME` or `torchvision:NAME` to insist; or
            a network of your own, `{_target_: my_net.make}` (docs/extending.md).
        weights: auto (packaged or downloaded ImageNet weights) | null (random) | a file.
        features: final (the pooled output) | multilevel (mean and maximum of the last stages too).
        views: none | flips | flips_and_turns: features are averaged over these views of an image;
            for parts without up and down, and a frozen trunk.
        engine: eager | compile (PyTorch's compiler; needs a C++ compiler) | openvino (on a
            processor; pip install alvision[openvino]): what runs the network over the pool.
        training: frozen (features once, then only the head) | finetune (the whole net).
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
    features: str = "final"
    views: str = "none"
    engine: str = "eager"
    training: str = "frozen"
    drop_path: float | None = None
    head: Any = "dropout"
    hidden: int = 0
    dropout: float = 0.2
    passes: int = 20


@dataclass(frozen=True)
class TrainerConfig:
    """How the network is trained and run.

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
        validation_share: Share of the labelled groups held back for early stopping (finetune).
        patience: Epochs without improvement before a finetune round stops.
        augment: none | light | full: albumentations on training images (finetune); or a pipeline of
            your own, `{_target_: albumentations.Compose, transforms: [...]}`.
        loss: A loss of your own, `{_target_: my_loss.f, _partial_: true}`; null: cross entropy.
        optimizer: An optimiser of your own, `{_target_: torch.optim.SGD, _partial_: true}`; null:
            AdamW.
        callbacks: Lightning callbacks of your own, a list of `{_target_: ...}`; null: none.
    """

    accelerator: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    batch_size: int = 32
    num_workers: int | None = None
    memory_map: bool = False
    class_weights: bool = True
    head_steps: int = 80
    head_learning_rate: float = 0.01
    epochs: int = 30
    learning_rate: float = 0.0005
    weight_decay: float = 0.01
    validation_share: float = 0.2
    patience: int = 6
    augment: Any = "light"
    loss: Any = None
    optimizer: Any = None
    callbacks: Any = None


@dataclass(frozen=True)
class BudgetConfig:
    """How many answers are asked for.

    Attributes:
        initial: Labels to start from (known ones count); `all` labels the whole pool.
        batch: Images a round.
        rounds: Rounds after the cold start.
        audit: With people: audit images a round, on top of the batch.
    """

    initial: Any = 20
    batch: int = 20
    rounds: int = 10
    audit: int = 4


@dataclass(frozen=True)
class AuditConfig:
    """What is held out.

    Attributes:
        share: Share of the groups: the test part of a simulated run, the audit part with people.
    """

    share: float = 0.2


@dataclass(frozen=True)
class OracleConfig:
    """Who answers.

    Attributes:
        kind: simulated (the truth) | files (people fill in a table) | page (people answer in the
            browser, `alvision label`).
        confusion: Simulated only: how often a class is called another, {ok: {worn: 0.1}}.
        graded: Simulated only: answer as often as the data's own graded opinion says (ELPV).
        seconds: Simulated only: what an answer costs, a number or one by class, {ok: 3, worn: 8};
            their sum is the column `seconds` of metrics.csv.
    """

    kind: str = "simulated"
    confusion: Any = None
    graded: bool = False
    seconds: Any = None


@dataclass(frozen=True)
class TargetConfig:
    """What a study counts labels to.

    Attributes:
        metric: A column of metrics.csv.
        value: The score to reach; null: .95 of the full-data score.
    """

    metric: str = "macro_f1"
    value: float | None = None


@dataclass(frozen=True)
class LabelsConfig:
    """Where people's labels live, and how many settle an image.

    Attributes:
        url: A file for them, or postgresql+psycopg://USER@HOST/DATABASE; null: beside data.root.
        votes: People who answer each image; from 2 on, more where they or the model disagree.
        experts: People who get unsure and disputed images first.
    """

    url: str | None = None
    votes: int = 1
    experts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PageConfig:
    """The page that people label on (`alvision label`).

    Attributes:
        host: Address to listen on; 0.0.0.0: the local network too, for who has the link.
        port: Port; keep it, for a browser that was cut off keeps its answers by address and port.
        open: Open the browser.
        blind: Show what the model thinks only after the answer.
    """

    host: str = "127.0.0.1"
    port: int = 8642
    open: bool = True
    blind: bool = False


@dataclass(frozen=True)
class RunConfig:
    """Everything a run can be told.

    Attributes:
        name: First part of the default `out`; null: the experiment's or the root's name.
        out: The run's folder; null: runs/<name>/<acquisition>/seed-<seed>.
        seed: Split, cold start, training and selection all follow from it.
        classes: Class names; null in a simulated run: the classes of the data.
        defects: The classes that are defects; escape and overkill rates need it.
        acquisition: The strategy, from configs/acquisition.
        cold_start: The strategy without a model, from configs/cold_start; it goes on until each
            class seen has cold_start.per_class=5 labels (0: until there is a model), but asks
            for no more than budget.initial images beyond the first round. In a simulated run
            cold_start.known_defects=0 defects are known beforehand, for nothing, and no normals.
        logger: Where rounds are logged too, from configs/logger; TensorBoard's files are always
            written.
        debug: Show tracebacks.
    """

    name: str | None = None
    out: str | None = None
    seed: int = 0
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
    target: TargetConfig = field(default_factory=TargetConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    page: PageConfig = field(default_factory=PageConfig)
    logger: Any = None

    @property
    def answered_by_people(self) -> bool:
        """Tell whether people answer; else the data's own classes do (a simulated run)."""
        return self.oracle.kind != "simulated"


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
