"""Make the list of X-SDD's images, and its folds, from a checkout of the published repository.

    python scripts/list_xsdd.py path/to/X-SDD-A-New-benchmark/X-SDD/datas [--check]

Writes `alvision/data/sources/xsdd.csv`: sha256, id and fold of each image; `--check` compares
instead. A class is the name of the folder that an image lies in, with `_` for blanks. The folds are
those of `data.fold`: five, stratified by class, exact duplicates together, no chance in it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from alvision.data.manifest import Manifest
from alvision.data.sources.folder import image_files
from alvision.data.sources.xsdd import LIST
from alvision.data.splits import FOLDS, group_keys, stratified_folds


def listing(root: Path) -> dict[str, str]:
    """Return the sha256 of each image below a folder, by id."""
    found = {}
    for path in image_files(root):
        id = f"{path.parent.name.replace(' ', '_')}/{path.name}"
        found[id] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


def folds(hashes: Mapping[str, str]) -> dict[str, int]:
    """Number the fold of each image, by id, from ids and hashes alone."""
    ids = tuple(sorted(hashes))
    truth = tuple(id.split("/")[0] for id in ids)
    nothing = (None,) * len(ids)
    manifest = Manifest(Path(), ids, (Path(),) * len(ids), nothing, nothing, truth)
    groups = np.array(group_keys(manifest, hashes))
    numbers = stratified_folds(np.array(truth), groups, FOLDS, seed=0)
    return dict(zip(ids, numbers.tolist(), strict=True))


def table(hashes: Mapping[str, str]) -> str:
    """Return the list as CSV."""
    numbers, text = folds(hashes), io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("sha256", "id", "fold"))
    writer.writerows((hashes[id], id, numbers[id]) for id in sorted(hashes))
    return text.getvalue()


def main(root: str, *options: str) -> None:
    made = table(listing(Path(root)))
    if options != ("--check",):
        LIST.write_text(made, encoding="utf-8")
    elif made != LIST.read_text(encoding="utf-8"):
        sys.exit(f"error: {root} gives another list than {LIST}")


if __name__ == "__main__":
    main(*sys.argv[1:])
