"""Write the demo's verdicts, pictures and tables into README.md.

python scripts/readme_demo.py runs/demo [runs/demo-steel]
"""

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
PICTURES = ("docs/demo.png", "docs/demo-steel.png")
TITLES = (
    "2,624 solar cells, functional or defective, half of the modules held out",
    "1,360 strips of hot-rolled steel with seven kinds of defects",
)


def block(comparisons: list[Comparison]) -> str:
    """Return what stands in README.md between the marks."""
    return "\n\n".join(
        [
            *(_study(*part) for part in zip(comparisons, TITLES, PICTURES, strict=False)),
            "Written by `make demo-readme`: frozen EfficientNet-Lite0, features of several depths, "
            "the default strategy and its cold start, 12 seeds.",
        ]
    )


def _study(comparison: Comparison, title: str, picture: str) -> str:
    return (
        f"{title}: **{verdict(comparison)}**\n\n"
        f"![Learning curves of every strategy, with bands over seeds]({picture})\n\n"
        f"{markdown(comparison).strip()}"
    )


def write(studies: list[Path], project: Path) -> None:
    """Fill the README and the pictures of the checkout `project` from the folders of studies.

    Args:
        studies: Solar cells, and steel if its images were there.
        project: The checkout.

    Raises:
        UserError: A folder holds no finished study.
    """
    comparisons = [summarise(collect(study)) for study in studies]
    for comparison, picture in zip(comparisons, PICTURES, strict=False):
        figure(comparison, project / picture)
    rewrite(project / "README.md", "demo", block(comparisons))


if __name__ == "__main__":
    try:
        write([Path(word) for word in sys.argv[1:]], PROJECT)
    except UserError as error:
        sys.exit(f"error: {error}")
