"""How fast are the acquisition functions, and how much memory do they take, against others' forms?

    python scripts/benchmark_acquisition.py [--only NAME ...] [--quick] [--json FILE] [--write]

Ours and theirs run in turn on the same inputs, each alone in a fresh process, so that its peak
memory is its own, and on one thread where no other number is told. Results are compared: the picks,
or what a method that samples has attained. `ratio` is higher where ours is better; a row with a
target that is missed makes the exit status 1. `--quick` takes the first of three repeats, at the
same sizes. Growth rows double one size: `ours` is how many times longer it takes, `theirs` linear
growth. Limit rows tell the share of the machine's memory bandwidth or matrix products, measured in
the same run, that is reached. `--write` puts the table into docs/acquisition.md.
The peers are in the extra `bench`; batchbald-redux: see `acquisition_rows/batch_bald.py`.
"""

from __future__ import annotations

import figures
from acquisition_rows import k_center, scores

PARTS = {"k_center": k_center.rows, "scores": scores.rows}


if __name__ == "__main__":
    figures.main(__doc__, PARTS, page="docs/acquisition.md")
