"""Take the picture of a study's page that stands in README.

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
    if len(sys.argv) != 2:
        sys.exit("error: name the study's folder: python scripts/screenshot_study.py runs/elpv")
    photograph(Path(sys.argv[1]) / "report.html", DOCS / "study-page.png", height=1700)
