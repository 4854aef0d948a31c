"""ELPV: 2,624 solar cells seen by electroluminescence, from the PyPI package `elpv-dataset`.

Buerhop-Lutz et al., EU PVSEC 2018; Deitsch et al., arXiv 1807.02894. CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.data.sources.rows import Listing, Row, existing_folder

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig

FUNCTIONAL, DEFECTIVE = "functional", "defective"
CELLS_PER_MODULE = 60
PHOTOGRAPHED_TWICE = (1735, 2277)
"""First cells of two stretches that show one module, sharp and blurred; a test compares them."""


def elpv(cfg: DataConfig) -> Listing:
    """List the cells: `defective` above the threshold on the defect probability (0, 1/3, 2/3, 1).

    Groups are approximate modules, see `approximate_modules`, 43 after one that was photographed
    twice is joined. The root is the package's data
    folder, or `data.root` if that is set.

    Raises:
        UserError: If the package is not installed, or the threshold is not in 0..1.
    """
    if not 0 <= cfg.defect_threshold < 1:
        raise UserError(f"data.defect_threshold={cfg.defect_threshold} must be in 0 .. below 1")
    root = existing_folder(cfg) if cfg.root else _packaged()
    try:
        lines = (root / "labels.csv").read_text(encoding="utf-8").split("\n")
        cells = [
            (id, float(probability), kind)
            for id, probability, kind in map(str.split, filter(str.strip, lines))
        ]
    except (OSError, ValueError) as error:
        raise UserError(f"{root / 'labels.csv'} is not ELPV's table of labels: {error}") from None
    modules = approximate_modules([kind for _, _, kind in cells])
    if len(modules) >= max(PHOTOGRAPHED_TWICE):
        first, again = (modules[number - 1] for number in PHOTOGRAPHED_TWICE)
        modules = [first if module == again else module for module in modules]
    rows = [
        Row(
            id=id,
            path=root / id,
            truth=DEFECTIVE if probability > cfg.defect_threshold else FUNCTIONAL,
            group=module,
            answer_shares={DEFECTIVE: probability, FUNCTIONAL: 1 - probability},
        )
        for (id, probability, _), module in zip(cells, modules, strict=True)
    ]
    return Listing(root, rows)


def approximate_modules(kinds: Sequence[str]) -> list[str]:
    """Name the approximate module of each cell from its type, in file order.

    The source gives no modules, but its files are in their order: runs of mono- and
    polycrystalline cells alternate. A run of n cells is taken as m = max(1, round(n / 60)) modules
    of equal size, module = floor(position * m / n); 44 modules in all.

    >>> approximate_modules(["mono"] * 60 + ["poly"] * 120)[58:62]
    ['module-01', 'module-01', 'module-02', 'module-02']
    """
    names: list[str] = []
    before = 0
    for _, run in itertools.groupby(kinds):
        cells = len(list(run))
        modules = max(1, round(cells / CELLS_PER_MODULE))
        numbers = [before + 1 + position * modules // cells for position in range(cells)]
        names += [f"module-{number:02d}" for number in numbers]
        before += modules
    return names


def _packaged() -> Path:
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("data=elpv needs the package elpv-dataset: pip install alvision[demo]")
    return Path(spec.submodule_search_locations[0]) / "data"
