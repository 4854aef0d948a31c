"""Run the tests marked `soak` and write what they counted into docs/reliability.md.

A test may report counts, `record_property("kills", 3)`; they are added up over its parameters.
A test that reports none has an empty cell.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

from blocks import rewrite

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "reliability.md"


def table(junit: str) -> str:
    """Return a JUnit XML report as a Markdown table, one row a test over all its parameters."""
    rows: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    for case in ElementTree.fromstring(junit).iter("testcase"):
        name = case.get("name", "").split("[")[0].removeprefix("test_").replace("_", " ")
        row = rows.setdefault(name, Counter())
        row["times"] += 1
        row["passed"] += not {child.tag for child in case} & {"failure", "error", "skipped"}
        row.update({p.get("name", ""): int(p.get("value", 0)) for p in case.iter("property")})
        seconds[name] += float(case.get("time", 0))
    lines = ["| test | times | passed | counted | seconds |", "| --- | ---: | ---: | --- | ---: |"]
    for name, row in rows.items():
        times, passed = row.pop("times"), row.pop("passed")
        counted = ", ".join(f"{what} {count}" for what, count in row.items())
        lines.append(f"| {name} | {times} | {passed} | {counted} | {seconds[name]:.0f} |")
    return "\n".join(lines)


def main() -> int:
    """Run the tests and return pytest's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "soak.xml"
        command = [sys.executable, "-m", "pytest", "-m", "soak", f"--junitxml={report}"]
        status = subprocess.run(command, cwd=PROJECT, check=False).returncode
        if status in (0, 1):  # the tests ran; a table with failures is a result too
            python = f"Python {platform.python_version()}"
            heading = (
                f"{date.today().isoformat()}, {platform.system()} {platform.machine()}, {python}"
            )
            rewrite(PAGE, "soak", f"{heading}\n\n{table(report.read_text(encoding='utf-8'))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
