"""The schema of `data.KEY`; everything else is in `schema`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MISSING: Any = "???"
"""OmegaConf's mark of a value that must be set; written out so that the schema needs no import."""


@dataclass(frozen=True)
class ImageConfig:
    """How a file becomes the array that a network sees; stored with every model.

    Attributes:
        size: Side of the square that the network sees, in pixels.
        crop: Region of the photograph to use, [left, top, right, bottom] as fractions 0..1.
        value_range: Raw grey values [black, white] of images deeper than 8 bits; null: the full
            range of the type.
        reduced: Decode large JPEGs at a half, a quarter or an eighth of their size: less work, and
            grey values that differ a little.
    """

    size: int = 224
    crop: list[float] | None = None
    value_range: list[float] | None = None
    reduced: bool = False


@dataclass(frozen=True)
class DataConfig:
    """Where the images are, and what is known about them.

    Attributes:
        kind: folder | class_folders | csv | parquet | embeddings | elpv | xsdd | digits |
            torchvision; with `source`, any name.
        source: A reader of your own, `{_target_: my_source.parts, _partial_: true}`
            (docs/extending.md); null: the one that `kind` names.
        root: Folder that the ids are relative to.
        file: The CSV or Parquet file, relative to the root or absolute.
        path_column: Column with the image's path relative to the root (for embeddings: its id).
        label_column: Column with the class, if there is one.
        group_column: Column whose rows must not straddle train and test.
        split_column: Column with `train` or `test`; wins over the random split.
        features_column: Column with the embedding (kind embeddings).
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
    group_by: str = "none"
    group_pattern: str | None = None
    burst_seconds: float = 5.0
    fold: Any = None
    defect_share: float | None = None
    defect_threshold: float = 0.5
    dataset: str | None = None
    repeats: int = 1
    image: ImageConfig = field(default_factory=ImageConfig)
