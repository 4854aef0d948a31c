"""X-SDD: 1,360 photographs of hot-rolled steel strip, 7 kinds of surface defects.

Feng, Gao and Luo, Symmetry 13(4):706, 2021, doi 10.3390/sym13040706; Apache-2.0. The images are in
the public repository named below and never in this project, which holds their sha256 alone.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.data.sources.folder import image_files
from alvision.data.sources.rows import Listing, Row, existing_folder

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig

REPOSITORY = "https://github.com/Fighter20092392/X-SDD-A-New-benchmark"
COMMIT = "adf880814dbd365c73fc3643019272b5637fecc2"
LIST = Path(__file__).with_name("xsdd.csv")
"""sha256, id and fold of each image, made by `scripts/list_xsdd.py`."""


def xsdd(cfg: DataConfig) -> Listing:
    """List the images below `data.root` by their content, whatever their names and folders.

    An id is `<class>/<file name>`, as in the repository with `_` for blanks, so that folds and
    picks are the same for everybody.

    Raises:
        UserError: An image is missing or is not the one that was published.
    """
    root = existing_folder(cfg)
    found = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in image_files(root)}
    with LIST.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    missing = [row["id"] for row in listed if row["sha256"] not in found]
    if missing:
        raise UserError(
            f"{len(missing)} of the {len(listed)} images of X-SDD are not below {root}, first "
            f"{missing[0]}: check out {REPOSITORY} at commit {COMMIT} and set data.root to it"
        )
    return Listing(
        root,
        [Row(row["id"], found[row["sha256"]], truth=row["id"].split("/")[0]) for row in listed],
    )
