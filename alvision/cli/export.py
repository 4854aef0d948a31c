"""`export`: a final model as a bundle, verified."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alvision.cli.console import bar, console
from alvision.cli.options import Options, option
from alvision.config.limits import choice
from alvision.core.shell import command

USAGE = """\
alvision export out=runs/brakes bundle=brakes.bundle
alvision export out=runs/brakes bundle=brakes.bundle format=openvino

Writes a bundle, a folder that runs anywhere: the network (model.onnx), everything
about it (bundle.json), eight golden images with the logits that they must give, a
model card, and predict.py, which needs only onnxruntime, numpy and Pillow. The
export compares every backend with the trained model on at least 64 images and
refuses a bundle that differs."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """The words of `export`."""

    command = "export"
    example = "alvision export out=runs/brakes bundle=brakes.bundle"

    out: Path = option("The folder of a run that `alvision train` has finished.")
    bundle: Path | None = option("The bundle to write.", default=None, shown="<out>/bundle")
    format: str = option(
        "A form of the network beside ONNX: onnx (none), openvino or torch.",
        default="onnx",
        limits=choice("onnx", "openvino", "torch"),
    )


OPTIONS = (ExportOptions,)


def export(words: list[str]) -> int:
    """Write the bundle of a final model and verify it."""
    options = ExportOptions.parse(words)

    from alvision.core.rounds import lock
    from alvision.deploy.bundle.export import export
    from alvision.deploy.train.final_model import load
    from alvision.deploy.train.labelled_data import run_config_of_today

    root = options.out
    folder = options.bundle or root / "bundle"
    config = run_config_of_today(root)
    with lock(root):
        final = load(config, root)
        with bar("exporting") as progress:
            found = export(
                final,
                config,
                folder,
                format=options.format,
                progress=lambda what, done, total: progress(done, total),
            )
    for backend, worst in found.differences.items():
        console.print(f"{backend}: {found.images} images decided alike, logits within {worst:.2g}")
    words = [f"bundle={folder}"]
    if memory := final.facts.memory:
        console.print(f"it remembers {memory.size}", markup=False)
        words.append("overkill=0.05")
    console.print(
        f"bundle: {folder}; next: {command('alvision', 'threshold', *words)}", markup=False
    )
    return 0
