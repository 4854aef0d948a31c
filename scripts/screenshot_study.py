"""Take the picture of a study's page in README.

    python scripts/screenshot_study.py runs/benchmark/xsdd

FOLDER is a study that `alvision compare` has finished; its page is photographed in a real browser.
Writes docs/study-page.png.
"""

from __future__ import annotations

import sys
from pathlib import Path

from screenshot_report import photograph
from screenshots import DOCS

if __name__ == "__main__":
    report = Path(*sys.argv[1:2]) / "report.html"
    if len(sys.argv) != 2 or not report.is_file():
        sys.exit("error: name the folder of a finished study, e.g. runs/benchmark/xsdd")
    photograph(report, DOCS / "study-page.png", height=1700)
