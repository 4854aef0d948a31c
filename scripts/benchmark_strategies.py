"""Measure which strategy saves labels on which data, and which loses to random.

    python scripts/benchmark_strategies.py --xsdd FOLDER            everything, then the page
    python scripts/benchmark_strategies.py --protocol digits elpv   some of it
    python scripts/benchmark_strategies.py --protocol elpv --seeds 4
    python scripts/benchmark_strategies.py --page                   the page from benchmarks/ alone
    python scripts/benchmark_strategies.py --check                  remake a subset, compare picks

Each protocol (scripts/strategy_study/protocols.py) is one `alvision compare` into
runs/benchmark/<protocol>/, two runs at a time with one thread each; what is finished is not run
again. Of it, benchmarks/<protocol>.csv keeps every curve and benchmarks/picks.csv a sha256 over all
that each run asked for, and docs/benchmark.md is written from these alone. FOLDER is a checkout of
X-SDD's repository (configs/experiment/xsdd.yaml). `--check` remakes seed 0 of a few strategies from
an empty cache and fails if one asks for other images than the benchmark did. On another kind of
processor this may happen, because sums are rounded differently there.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from blocks import rewrite
from strategy_study.page import page
from strategy_study.protocols import PROTOCOLS, SUBSET, Protocol
from strategy_study.results import (
    PICKS,
    all_picks,
    curves,
    read_picks,
    study_of,
    write_curves,
    write_picks,
)

from alvision.cli import main as alvision
from alvision.study.summary import summarise

PROJECT = Path(__file__).parents[1]
RESULTS, PAGE = PROJECT / "benchmarks", PROJECT / "docs" / "benchmark.md"


def make(
    protocol: Protocol,
    out: Path,
    *,
    seeds: int,
    strategies: tuple[str, ...] | None = None,
    xsdd: str | None = None,
) -> None:
    """Run what is missing of a protocol; end the program where it fails."""
    # Two runs at a time have one thread each, so that sums do not depend on the machine's cores.
    words = [
        "compare", f"experiment={protocol.experiment}", f"out={out}", "trainer=cpu", "jobs=2",
        f"acquisition=[{','.join(strategies or protocol.strategies)}]", f"seeds={seeds}",
        *protocol.more,
    ]  # fmt: skip
    words += [f"data.root={xsdd}"] if protocol.needs_steel else []
    if status := alvision(words):
        sys.exit(status)


def keep(protocol: Protocol, out: Path, results: Path) -> None:
    """Put a finished study's curves and picks into the benchmark's data."""
    write_curves(curves(out), results / f"{protocol.name}.csv")
    known = read_picks(results / PICKS)
    others = {key: value for key, value in known.items() if key[0] != protocol.name}
    write_picks(others | all_picks(out, protocol.name), results / PICKS)


def write_page(results: Path, to: Path) -> None:
    """Write the page from the benchmark's data."""
    files = {name: results / f"{name}.csv" for name in PROTOCOLS}
    there = {name: summarise(study_of(file)) for name, file in files.items() if file.exists()}
    rewrite(to, "benchmark", page(there))


def check(results: Path) -> list[str]:
    """Remake the subset from an empty cache; return what asks for other images."""
    known = read_picks(results / PICKS)
    differing = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ALVISION_CACHE"] = str(Path(folder) / "cache")
        for name, strategies in SUBSET.items():
            out = Path(folder) / name
            make(PROTOCOLS[name], out, seeds=1, strategies=strategies)
            made = all_picks(out, name)
            differing += [
                f"{protocol} {acquisition} seed {seed}"
                for (protocol, acquisition, seed), picks in made.items()
                if acquisition in strategies or (protocol, acquisition, seed) in known
                if known.get((protocol, acquisition, seed)) != picks
            ]
    return differing


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--seeds", type=int, help="fewer than the protocol states")
    parser.add_argument("--xsdd", metavar="FOLDER", help="a checkout of X-SDD's repository")
    parser.add_argument("--out", type=Path, default=Path("runs") / "benchmark")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    parser.add_argument("--check", action="store_true", help="remake a subset, compare picks")
    asked = parser.parse_args(words)
    if asked.check:
        differing = check(RESULTS)
        sys.exit(f"asked for other images: {', '.join(differing)}" if differing else 0)
    chosen = [] if asked.page else [PROTOCOLS[name] for name in asked.protocol]
    if any(protocol.needs_steel for protocol in chosen) and not asked.xsdd:
        sys.exit("error: --xsdd FOLDER is missing, or leave its protocols out with --protocol")
    for protocol in chosen:
        out = asked.out / protocol.name
        make(protocol, out, seeds=asked.seeds or protocol.seeds, xsdd=asked.xsdd)
        keep(protocol, out, RESULTS)
    write_page(RESULTS, PAGE)


if __name__ == "__main__":
    main()
