"""Fill a cache with 400 rows in many small parts; the kill test ends it at any moment."""

import sys
import time
from pathlib import Path

import numpy as np

from alvision.inference import feature_cache

feature_cache.ROWS_A_PART = 4


def rows(names):
    for start in range(0, len(names), 2):
        time.sleep(0.005)
        part = names[start : start + 2]
        yield part, np.array([[sum(map(ord, name)), len(name)] for name in part], np.float32)


if __name__ == "__main__":
    feature_cache.FeatureCache(Path(sys.argv[1]), {"kill": True}).fill(
        [f"{i:03d}" for i in range(400)], rows
    )
