"""Write a study's verdict, picture and table into README.md: `readme_demo.py runs/demo`."""

from __future__ import annotations

import sys
from pathlib import Path

from blocks import rewrite

from alvision.core.errors import UserError
from alvision.reporting.study.page import figure
from alvision.study.collect import collect
from alvision.study.markdown import markdown
from alvision.study.summary import Comparison, summarise
from alvision.study.verdict import verdict

PROJECT = Path(__file__).parent.parent
PICTURE = "docs/demo.png"


def block(comparison: Comparison) -> str:
    """Return what stands in README.md between the marks."""
    return (
        f"**{verdict(comparison)}**\n\n"
        f"![Learning curves of every strategy, with bands over seeds]({PICTURE})\n\n"
        f"{markdown(comparison)}\n\n"
        "Written by `make demo-readme`: frozen EfficientNet-Lite0, features of several depths, 20 "
        "labels to start from and 20 a round, half of the modules held out, defective above a "
        "probability of .5. "
        "Of two classes, margin and entropy ask for the same images: their curves are one. "
        "The number of seeds was raised to 12 after 8 had shown nothing, so read it as an "
        "illustration and not as a benchmark."
    )


def write(study: Path, project: Path) -> None:
    """Fill the README and the picture of the checkout `project` from the folder of a study.

    Raises:
        UserError: The folder holds no finished study.
    """
    comparison = summarise(collect(study))
    figure(comparison, project / PICTURE)
    rewrite(project / "README.md", "demo", block(comparison))


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]), PROJECT)
    except UserError as error:
        sys.exit(f"error: {error}")
