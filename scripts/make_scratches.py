"""Generate large photographs, half of them with one small scratch: what `data.image.tiles` is for.

    python scripts/make_scratches.py --out /tmp/scratches [--images 240] [--size 4000x3000]

Each is a brushed, unevenly lit surface with dust and grain, as a JPEG. A scratched one has a single
line of 12 x 2 pixels at a random place and angle, darker or brighter than its surroundings. Light,
gain, grain and dust differ from photograph to photograph and do not depend on the label, so that
nothing but the scratch tells the two classes apart.
"""

from __future__ import annotations

import argparse
import csv
import math
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

QUALITY = 92
"""Of the JPEG, as inspection cameras write it."""


def surface(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw a surface without a defect, float32 [height, width] in grey levels."""
    coarse = rng.normal(size=(height // 100 + 4, width // 100 + 4)).astype(np.float32)
    light = ndimage.zoom(ndimage.gaussian_filter(coarse, 3), 100, order=1)[:height, :width]
    light *= rng.uniform(8, 20) / max(float(light.std()), 1e-6)
    brushed = ndimage.uniform_filter1d(_noise(rng, height, width), 61, axis=1)
    brushed *= rng.uniform(3, 6) / float(brushed.std())
    mottled = ndimage.gaussian_filter(_noise(rng, height, width), 2.0, truncate=2)
    mottled *= rng.uniform(2, 4) / float(mottled.std())
    grain = rng.uniform(2, 4) * _noise(rng, height, width)
    grey = rng.uniform(100, 150) + light + brushed + mottled + grain
    _add_dust(rng, grey)
    return grey


def _noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return rng.standard_normal((height, width), dtype=np.float32)


def _add_dust(rng: np.random.Generator, grey: np.ndarray) -> None:
    """Add soft round specks, about 10 a megapixel: local, but no scratches."""
    for _ in range(rng.poisson(10e-6 * grey.size)):
        _stamp(grey, rng, partial(_speck, sigma=rng.uniform(2, 5)), rng.uniform(-35, 35))


def _speck(across: np.ndarray, along: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-(across**2 + along**2) / (2 * sigma**2))


def _line(across: np.ndarray, along: np.ndarray, length: float, thick: float) -> np.ndarray:
    """Return how much of each pixel a line covers, 0..1."""
    return (thick / 2 + 0.5 - np.abs(across)).clip(0, 1) * (length / 2 + 0.5 - np.abs(along)).clip(
        0, 1
    )


def _stamp(grey: np.ndarray, rng: np.random.Generator, shape: partial, depth: float) -> None:
    margin = 24
    y, x = (int(rng.integers(margin, side - margin)) for side in grey.shape)
    angle = rng.uniform(0, math.pi)
    rows, columns = np.mgrid[-margin:margin, -margin:margin].astype(np.float32)
    across = rows * math.cos(angle) - columns * math.sin(angle)
    along = rows * math.sin(angle) + columns * math.cos(angle)
    grey[y - margin : y + margin, x - margin : x + margin] += depth * shape(across, along)


def photograph(
    seed: int, index: int, size: tuple[int, int], scratch: tuple[int, int], depth: float
) -> tuple[np.ndarray, bool]:
    """Draw photograph `index`, uint8 [height, width], and tell whether it is scratched."""
    rng = np.random.default_rng([seed, index])
    width, height = size
    grey = surface(rng, height, width)
    scratched = index % 2 == 1
    if scratched:
        strength = rng.choice([-1, 1]) * depth * rng.uniform(0.8, 1.2)
        _stamp(grey, rng, partial(_line, length=scratch[0], thick=scratch[1]), strength)
    return np.rint(grey).clip(0, 255).astype(np.uint8), scratched


def _write(index: int, folder: Path, options: argparse.Namespace) -> tuple[str, str]:
    grey, scratched = photograph(
        options.seed, index, options.size, options.scratch, options.contrast
    )
    name = f"{index:04d}.jpg"
    Image.fromarray(grey).save(folder / name, quality=QUALITY)
    return f"images/{name}", "scratch" if scratched else "ok"


def _pair(text: str) -> tuple[int, int]:
    first, _, second = text.partition("x")
    return int(first), int(second)


def main() -> None:
    """Write the photographs and `labels.csv` beside them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=240)
    parser.add_argument("--size", type=_pair, default=(4000, 3000), help="WIDTHxHEIGHT")
    parser.add_argument("--scratch", type=_pair, default=(12, 2), help="LENGTHxWIDTH")
    parser.add_argument("--contrast", type=float, default=60, help="grey levels, +-20 %%")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    folder = options.out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    write = partial(_write, folder=folder, options=options)
    with ProcessPoolExecutor(options.processes) as workers:
        rows = list(workers.map(write, range(options.images)))
    with (options.out / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
