"""The same in TensorBoard: curves, the pictures of each round, reasons, hyper-parameters."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from alvision.core.errors import UserError
from alvision.reporting.html import THUMBNAIL_SIDE, Thumbnails, number
from alvision.reporting.loggers.metric_names import scalars
from alvision.reporting.run.folder import ImageAnswer, RoundFiles, RunFolder, answers_by_image, read
from alvision.reporting.run.summary import verdict

if TYPE_CHECKING:
    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest

PICTURES = 48
COLUMNS = 8
RIGHT, WRONG, UNKNOWN, MISSING = (0, 158, 115), (213, 94, 0), (128, 136, 148), (60, 66, 74)


def log(
    folder: Path | str,
    round: int,
    manifest: Manifest | None = None,
    spec: ImageSpec | None = None,
) -> Path:
    """Write a finished round into `<folder>/tensorboard`; steps are rounds.

    Each round is one event file named by its number, so logging a round again replaces it, and
    the files sort in the order of the rounds, which is the order in which TensorBoard reads them.

    Args:
        folder: The run's folder.
        round: The round's number.
        manifest: Where the pictures are; None leaves the grid out.
        spec: The evaluation transform, so that pictures look as the network sees them.

    Returns:
        The event file.

    Raises:
        UserError: The folder is not a run's, or the round is not finished.
    """
    run = read(folder)
    rnd = next((one for one in run.finished if one.number == round), None)
    if rnd is None:
        raise UserError(f"round {round} of {run.root} is not finished; run it first")
    target = run.root / "tensorboard"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as elsewhere:
        with SummaryWriter(elsewhere, purge_step=round) as writer:
            _write(writer, run, rnd, Thumbnails(manifest, spec, budget=PICTURES))
        (written,) = Path(elsewhere).glob("*tfevents*")
        beside = target / f".{round}.part"  # a name that TensorBoard does not read
        beside.write_bytes(written.read_bytes())
    file = target / f"events.out.tfevents.{round:010d}.alvision"
    beside.replace(file)
    return file


def _write(writer: SummaryWriter, run: RunFolder, rnd: RoundFiles, thumbnails: Thumbnails) -> None:
    step = rnd.number
    for name, value in scalars(rnd.metrics or {}, run.metrics).items():
        writer.add_scalar(name, value, step)
    known = answers_by_image(run)
    if rnd.query:
        writer.add_text("query/reasons", _table(rnd, known), step)
        if (grid := _grid(rnd, known, thumbnails)) is not None:
            writer.add_image("query/pictures", grid, step, dataformats="HWC")
    chosen = _hyper_parameters(run)
    for summary in hparams(chosen, {"metrics/macro_f1": 0, "budget/labels": 0})[:2]:
        writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]


def _hyper_parameters(run: RunFolder) -> dict[str, Any]:
    settings = {
        name: run.setting(*name.split("."))
        for name in ("seed", "budget.initial", "budget.batch", "model.passes", "model.training")
    }
    return {**run.choices, **{key: value for key, value in settings.items() if value is not None}}


def _table(rnd: RoundFiles, known: Mapping[str, ImageAnswer]) -> str:
    lines = ["| rank | image | slot | score | prediction | answer | reason |", "|" + "---|" * 7]
    for row in rnd.query[:PICTURES]:
        said = known.get(row.id)
        answer = (said.label or said.kind) if said else ""
        cells = (
            row.rank, row.id, row.slot, number(row.score), row.prediction or "", answer, row.reason
        )  # fmt: skip
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    if len(rnd.query) > PICTURES:
        lines.append(f"\nand {len(rnd.query) - PICTURES} more in query.csv")
    return "\n".join(lines)


def _grid(
    rnd: RoundFiles, known: Mapping[str, ImageAnswer], thumbnails: Thumbnails
) -> np.ndarray | None:
    """Return the pictures as one uint8 [H, W, 3]: framed by right, wrong or not known."""
    rows = rnd.query[:PICTURES]
    pictures = [thumbnails.pixels(row.id, row.sha256) for row in rows]
    if all(pixels is None for pixels in pictures):
        return None
    side, frame = THUMBNAIL_SIDE, 4
    cell = side + 2 * frame
    columns = min(COLUMNS, len(rows))
    canvas = Image.new("RGB", (columns * cell, -(-len(rows) // columns) * cell))
    draw = ImageDraw.Draw(canvas)
    for place, (row, pixels) in enumerate(zip(rows, pictures, strict=True)):
        left, top = place % columns * cell, place // columns * cell
        right = verdict(row.prediction, known.get(row.id))
        colour = UNKNOWN if right is None else RIGHT if right else WRONG
        draw.rectangle((left, top, left + cell - 1, top + cell - 1), fill=colour)
        inside = (left + frame, top + frame, left + frame + side - 1, top + frame + side - 1)
        draw.rectangle(inside, fill=MISSING)
        if pixels is not None:
            canvas.paste(Image.fromarray(pixels), inside[:2])
        draw.text((left + frame + 3, top + frame + 2), str(row.rank), fill="white", stroke_width=1,
                  stroke_fill="black")  # fmt: skip
    return np.asarray(canvas)
