"""Run the tests marked `soak` and write what they counted into docs/reliability.md.

A test reports its counts with `record_property("kills", 25)`; each becomes part of its row.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

from blocks import rewrite

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "reliability.md"


def rows(junit: str) -> Iterator[tuple[str, str, str, float]]:
    """Yield (test, counts, result, seconds) for each test of a JUnit XML report."""
    for case in ElementTree.fromstring(junit).iter("testcase"):
        counts = ", ".join(f"{p.get('name')} {p.get('value')}" for p in case.iter("property"))
        bad = [kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None]
        result = (
            {"failure": "FAILED", "error": "FAILED", "skipped": "skipped"}[bad[0]]
            if bad
            else "passed"
        )
        name = case.get("name", "").removeprefix("test_").replace("_", " ")
        yield name, counts, result, float(case.get("time", 0))


def table(junit: str) -> str:
    """Return a JUnit XML report as a Markdown table."""
    lines = ["| test | counts | result | seconds |", "|---|---|---|---:|"]
    lines += [f"| {n} | {c} | {r} | {s:.0f} |" for n, c, r, s in rows(junit)]
    return "\n".join(lines)


def main() -> int:
    """Run the tests and return pytest's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "soak.xml"
        command = [sys.executable, "-m", "pytest", "-m", "soak", f"--junitxml={report}"]
        status = subprocess.run(command, cwd=PROJECT, check=False).returncode
        if status in (0, 1):
            machine = (
                f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
            )
            heading = f"Run on {date.today().isoformat()}, {machine}."
            rewrite(PAGE, "soak", f"{heading}\n\n{table(report.read_text(encoding='utf-8'))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
