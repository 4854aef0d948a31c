"""Draw a made-up inspection set: textured round parts, one in 300 with one of five small defects.

    python scripts/make_parts.py OUT [--images 6000] [--share 0.00333] [--seed 0]

Writes `OUT/images/*.png`, 224 x 224 grey, `OUT/labels.csv` (path and label: good or the kind of
defect) and the mask of each defect in `OUT/masks`. Each part has a grain, light, place and
turn of its own. A defect is 4 to 24 pixels and 12 to 50 grey levels: a scratch, a pit, a stain, a
chip of the rim or a crack. Good parts have harmless specks of dust, darker or lighter points. The
same seed gives the same bytes.

    alvision run data=csv data.root=OUT data.file=labels.csv defects=[scratch,pit,stain,chip,crack]
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate

SIZE = 224
KINDS = ("scratch", "pit", "stain", "chip", "crack")
Y, X = np.mgrid[:SIZE, :SIZE].astype(np.float32)


def part(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """Return a good part, grey levels [H,W]; where it is, [H,W]; its middle and its radius."""
    grain = gaussian_filter(rng.normal(size=(SIZE, SIZE)), (0.6, rng.uniform(4, 8)))
    grain = rotate(grain, rng.uniform(0, 180), reshape=False, mode="reflect", order=1)
    cloud = gaussian_filter(rng.normal(size=(SIZE, SIZE)), 14)
    y, x = SIZE / 2 + rng.uniform(-6, 6, 2)
    radius = rng.uniform(88, 94)
    away = np.hypot(Y - y, X - x)
    inside = 1 / (1 + np.exp(away - radius))
    ring = np.exp(-(((away - radius * 0.45) / 3) ** 2))
    tilt = (X - x) * rng.uniform(-0.12, 0.12) + (Y - y) * rng.uniform(-0.12, 0.12)
    face = 140 + rng.uniform(-10, 10) + 9 * grain / grain.std() + 5 * cloud / cloud.std() + tilt
    picture = inside * (face - 25 * ring) + (1 - inside) * (35 + 2 * rng.normal(size=face.shape))
    for _ in range(rng.poisson(3)):  # dust does no harm
        angle, far = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.uniform(0, 0.8))
        spot = np.hypot(Y - y - far * np.sin(angle), X - x - far * np.cos(angle))
        picture += rng.choice([-1, 1]) * rng.uniform(10, 25) * np.exp(-((spot / 0.9) ** 2))
    return picture, inside, (y, x, radius)


def defect(
    rng: np.random.Generator, kind: str, place: tuple[float, float, float]
) -> tuple[np.ndarray, float]:
    """Return where a defect is, 0 to 1 [H,W], and by how many grey levels it is off."""
    y, x, radius = place
    angle = rng.uniform(0, 2 * np.pi)
    far = radius if kind == "chip" else radius * np.sqrt(rng.uniform(0.02, 0.75))
    y, x = y + far * np.sin(angle), x + far * np.cos(angle)
    depth = rng.uniform(25, 50)
    if kind == "pit":
        return np.exp(-((np.hypot(Y - y, X - x) / rng.uniform(2, 4)) ** 4)), -depth
    if kind == "stain":
        wobble = gaussian_filter(rng.normal(size=(SIZE, SIZE)), 4)
        away = np.hypot(Y - y, X - x) + 3 * wobble / wobble.std()
        return 1 / (1 + np.exp(away - rng.uniform(6, 12))), -rng.uniform(12, 25)
    if kind == "chip":
        return 1 / (1 + np.exp(2 * (np.hypot(Y - y, X - x) - rng.uniform(4, 9)))), -100.0
    mark = np.zeros((SIZE, SIZE))
    turn, bend = rng.uniform(0, np.pi), rng.uniform(-0.03, 0.03)
    for _ in np.arange(0, rng.uniform(12, 24), 0.5):
        if kind == "crack" and rng.uniform() < 0.15:
            turn += rng.uniform(-0.9, 0.9)
        turn += bend
        y, x = y + 0.5 * np.sin(turn), x + 0.5 * np.cos(turn)
        mark = np.maximum(mark, np.exp(-((np.hypot(Y - y, X - x) / 1.1) ** 2)))
    return mark, depth if kind == "scratch" else -depth


def picture(seed: int, number: int, kind: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return one picture, uint8 [H,W], and the mask of its defect, bool [H,W]."""
    rng = np.random.default_rng([seed, number])
    levels, inside, place = part(rng)
    mask = np.zeros((SIZE, SIZE))
    if kind is not None:
        mask, depth = defect(rng, kind, place)
        mask = mask * inside
        levels = levels + depth * mask
    levels = levels + rng.normal(0, 1.5, levels.shape)
    return levels.clip(0, 255).round().astype(np.uint8), mask > 0.3


def kinds(images: int, share: float, seed: int) -> list[str | None]:
    """Return the defect of each picture, all kinds alike; None: a good part."""
    rng = np.random.default_rng([seed, images])
    count = round(images * share)
    made: list[str | None] = [KINDS[k % len(KINDS)] for k in range(count)]
    made += [None] * (images - count)
    rng.shuffle(made)  # type: ignore[arg-type]
    return made


def write(out: Path, images: int, share: float, seed: int) -> None:
    """Write pictures, masks and labels.csv."""
    for name in ("images", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for number, kind in enumerate(kinds(images, share, seed)):
        levels, mask = picture(seed, number, kind)
        path = f"images/{number:06d}.png"
        Image.fromarray(levels).save(out / path)
        if kind is not None:
            Image.fromarray(mask).save(out / "masks" / f"{number:06d}.png")
        rows.append((path, kind or "good"))
    with (out / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("path", "label"), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--share", type=float, default=1 / 300, help="share of defects")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write(arguments.out, arguments.images, arguments.share, arguments.seed)


if __name__ == "__main__":
    main()
