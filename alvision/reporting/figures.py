"""Charts by matplotlib: inline SVG that follows a page's light or dark colours, or a file."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID = "#1b2330", "#66707e", "#dde2e8"
RANDOM = "#868d97"
SERIES = ("#0072b2", "#c45100", "#00825c", "#a8578a", "#8a6a00", "#2f8fc4", "#6b4fa3", "#9c3030")
"""Okabe and Ito's order of hues (jfly.uni-koeln.de/color), darkened for thin lines on white."""

_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "line",
    RANDOM: "random",
    **{colour: f"series-{place}" for place, colour in enumerate(SERIES)},
}


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: Written at its end.
        x: Abscissae, increasing.
        y: Values; None where nothing is known.
        low: Lower edge of its band, if it has one.
        high: Upper edge.
        colour: One of SERIES, or RANDOM.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    colour: str = SERIES[0]


def curves(
    lines: Sequence[Curve],
    *,
    x_label: str,
    y_label: str,
    levels: Mapping[str, float] | None = None,
    size: tuple[float, float] = (9.6, 3.7),
) -> Figure:
    """Draw curves with their bands, each named at its end.

    Args:
        lines: The curves; later ones are drawn over earlier ones.
        x_label: Name of the horizontal axis.
        y_label: Name of the vertical axis.
        levels: Dashed horizontal lines by name.
        size: Width and height in inches.
    """
    figure, axes = _axes(size)
    for line in lines:
        points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None]
        if line.low is not None and line.high is not None:
            axes.fill_between(
                line.x, line.low, line.high, color=line.colour, alpha=0.13, linewidth=0
            )
        axes.plot(
            *zip(*points, strict=True) if points else ([], []),
            color=line.colour,
            linewidth=1.9,
            marker="o" if len(points) <= 30 else None,
            markersize=3.2,
            solid_capstyle="round",
        )
    for name, level in (levels or {}).items():
        axes.axhline(level, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.text(
            0.006, level, name, transform=axes.get_yaxis_transform(), color=MUTED, va="bottom",
            fontsize=8.5, parse_math=False,
        )  # fmt: skip
    axes.set_xlabel(x_label, color=MUTED)
    axes.set_ylabel(y_label, color=MUTED)
    axes.margins(x=0.02, y=0.06)
    axes.locator_params(axis="x", integer=True)
    _name_ends(axes, lines, share=0.23 / size[1])
    return figure


def differences(rows: Mapping[str, Sequence[float]], *, x_label: str) -> Figure:
    """Draw one row of dots for each name, one dot a seed, with the mean as a bar; 0 is marked.

    Args:
        rows: Paired differences by name, first row on top.
        x_label: What a difference means.
    """
    figure, axes = _axes((9.6, 0.75 + 0.42 * max(1, len(rows))), grid="x")
    axes.axvline(0, color=INK, linewidth=1)
    for place, (name, values) in enumerate(rows.items()):
        colour = SERIES[place % len(SERIES)]
        spread = [place + 0.22 * ((k % 3) - 1) for k in range(len(values))]
        axes.scatter(values, spread, s=22, color=colour, alpha=0.65, linewidths=0)
        if len(values):
            mean = sum(values) / len(values)
            axes.plot([mean, mean], [place - 0.36, place + 0.36], color=colour, linewidth=2.6)
        axes.text(
            -0.015, place, name, transform=axes.get_yaxis_transform(), color=colour, ha="right",
            va="center", parse_math=False,
        )  # fmt: skip
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(x_label, color=MUTED)
    return figure


def variable(colour: str) -> str:
    """Return a colour as CSS that follows the page's light or dark colours.

    >>> variable(RANDOM)
    'var(--random,#868d97)'
    """
    return f"var(--{_VARIABLES[colour]},{colour})"


def inline(figure: Figure, *, title: str) -> str:
    """Return a chart as an SVG element for a page.

    Text stays text and colours become the page's variables, so that the chart is readable in
    light and dark; the same figure always gives the same bytes.

    Args:
        figure: The chart.
        title: What it shows, for those who cannot see it.
    """
    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure.savefig(file, format="svg", metadata=nothing, transparent=True)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour in _VARIABLES:
        svg = svg.replace(colour, variable(colour))
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in every chart, and a page has several
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg class="chart" role="img" aria-label="{label}" ', 1)


def save(figure: Figure, path: Path) -> Path:
    """Write a chart as a file, `.svg` or `.png`, on white; the same figure gives the same bytes."""
    svg = path.suffix.lower() == ".svg"
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "path"}):
        figure.savefig(
            path,
            dpi=130,
            facecolor="white",
            metadata={"Date": None} if svg else {"Software": None},
        )
    return path


def _axes(size: tuple[float, float], grid: Literal["both", "x"] = "both") -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, length=0, labelsize=9)
    axes.grid(True, axis=grid, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _name_ends(axes: Axes, lines: Sequence[Curve], share: float) -> None:
    """Write each curve's name beside its last point, at least `share` of the height apart."""
    ends = []
    for line in lines:
        known = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None]
        if known:
            ends.append((known[-1][1], known[-1][0], line))
    low, high = axes.get_ylim()
    gap = share * (high - low)
    ends.sort(key=lambda end: end[0])
    places = _apart([y for y, _, _ in ends], gap)
    for (y, x, line), place in zip(ends, places, strict=True):
        axes.annotate(
            line.name, (x, y), xytext=(1.012, place), color=line.colour, fontsize=9.5,
            textcoords=axes.get_yaxis_transform(), va="center", annotation_clip=False,
            parse_math=False, fontweight="bold",
        )  # fmt: skip
    axes.set_ylim(min([low, *places]), max([high, *places]))


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Move increasing heights as little as needed for `gap` between neighbours.

    >>> _apart([0.0, 1.0, 1.0], 0.5)
    [0.0, 0.75, 1.25]
    """
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _lowest(groups[-1], gap) < _highest(groups[-2], gap) + gap:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_lowest(group, gap) + gap * k for group in groups for k in range(len(group))]


def _lowest(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _highest(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) + gap * (len(group) - 1) / 2
