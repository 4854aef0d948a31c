"""The `predict.py` of a bundle: one file for a computer without alvision.

It is put together from the source of the functions that alvision runs itself, because a second
implementation would decide differently one day.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from pathlib import Path

from alvision.anomaly import areas, hot_spots, maps
from alvision.core import walk
from alvision.data import framing, image_spec, images, pixels, tiles
from alvision.deploy.bundle import box_table, run_tiles, verdict
from alvision.deploy.bundle.signature import SIGNATURE, signature

TEMPLATE = Path(__file__).parent / "templates" / "predict.py.txt"


def script() -> str:
    """Return `predict.py`: the template with the source of the functions that alvision runs."""
    text = TEMPLATE.read_text(encoding="utf-8")
    reading = [
        images.opened,
        images.reason,
        images.load,
        images.as_seen,
        images.resized,
        images.upright_size,
        tiles.tiled,
        tiles.layout,
        tiles.starts,
        tiles._count,
        tiles._longest,
        tiles.bag,
        framing.placed,
        framing.crop_box,
        framing.cut,
        framing.inside_roi,
        framing.framed,
        image_spec.region_of,
        pixels.upright_pixels,
        pixels.select_page,
        pixels.is_thumbnail,
        pixels.refuse_unclear,
        pixels.tags_of,
        pixels.raw_mode,
        pixels.deep_mode,
        pixels.raw_values,
        pixels.deep_colours,
        pixels.range_of,
        pixels.stretch,
        pixels.draft,
        pixels.header_exif,
        pixels.exif_follows,
        walk.left_behind,
        walk.files_below,
    ]
    constants = {
        "SUFFIXES": tuple(sorted(images.SUFFIXES)),
        "HEIC_SUFFIXES": (),
        "FORMATS": images.FORMATS,
        "FILL": framing.FILL,
        "OVERLAP": tiles.OVERLAP,
        "ORIENTATION": pixels.ORIENTATION,
        "SIDEWAYS": pixels.SIDEWAYS,
        "OTHER_BYTE": pixels.OTHER_BYTE,
        "LEFT_BEHIND": tuple(sorted(walk.LEFT_BEHIND)),
        "COLUMNS": verdict.COLUMNS,
        "BOX_COLUMNS": box_table.COLUMNS,
        "SPREAD": maps.SPREAD,
        "MOST": hot_spots.MOST,
        "NEIGHBOURS": verdict.NEIGHBOURS,
        "STRANGEST": verdict.STRANGEST,
        "NO_NUMBERS": verdict.NO_NUMBERS,
        "TOGETHER": run_tiles.TOGETHER,
        "SIGNATURE": SIGNATURE,
    }
    lines = "".join(f"{name} = {value!r}\n" for name, value in constants.items())
    text = text.replace("# {constants}\n", lines)
    text = text.replace("# {reading}\n", _sources(reading))
    deciding = [
        run_tiles.run_tiles,
        verdict.softmax,
        verdict.defect_scores,
        verdict.novelty,
        verdict.strangest,
        verdict._unit,
        verdict.decide,
        maps.photograph_map,
        maps._weights,
        maps._views,
        areas.areas,
        hot_spots.hot_spots,
        box_table.row,
        signature,
    ]
    return text.replace("# {deciding}\n", _sources(deciding))


def _sources(functions: Sequence[object]) -> str:
    return "\n\n".join(map(_plain, functions)) + "\n"


def _plain(function: object) -> str:
    """Return a function's source without docstring, comments and annotations."""
    tree = ast.parse(inspect.getsource(function))  # type: ignore[arg-type]
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    if ast.get_docstring(definition):
        del definition.body[0]
    definition.returns = None
    for argument in (*definition.args.args, *definition.args.kwonlyargs):
        argument.annotation = None
    return ast.unparse(tree)
