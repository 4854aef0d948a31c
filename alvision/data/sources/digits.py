"""The 8x8 handwritten digits that come with scikit-learn: a data set for the mathematics.

E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, doi 10.24432/C50P49: 1,797 images of its test part.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alvision.data.sources.rows import Listing, Row

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig

NOISE = 0.1
"""Standard deviation of a repeat's noise, in standard deviations of all pixels."""


def digits(cfg: DataConfig) -> Listing:
    """List the digits as vectors of 64 grey values, 0 to 1; no image files are needed.

    With `data.repeats` R > 1 every digit comes R times, each time with Gaussian noise of its own:
    the redundant pool on which BatchBALD was proposed (arXiv 1906.08158, Repeated-MNIST). All
    copies of a digit are one group, so none of them judges another.
    """
    import numpy as np
    import sklearn.datasets

    loaded = sklearn.datasets.load_digits()
    pixels = (loaded.data / 16).astype(np.float32)
    root = Path(sklearn.datasets.__file__).parent
    rng = np.random.default_rng(0)
    rows = []
    for copy in range(cfg.repeats):
        noise = 0 if cfg.repeats == 1 else rng.normal(0, NOISE * pixels.std(), pixels.shape)
        vectors = (pixels + noise).astype(np.float32)
        for number, (label, vector) in enumerate(zip(loaded.target, vectors, strict=True)):
            group = f"digit-{number:04d}"
            id = group if cfg.repeats == 1 else f"{group}-copy-{copy}"
            rows.append(Row(id, root / id, str(label), group, features=vector))
    return Listing(root, rows)
