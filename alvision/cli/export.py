"""`export`: a final model as a bundle, verified."""

from __future__ import annotations

from pathlib import Path

from alvision.cli.console import bar, console
from alvision.config.overrides import take
from alvision.core.errors import UserError
from alvision.core.rounds import lock
from alvision.run_folder.load import load_run_config_in_place


def export(words: list[str]) -> int:
    """Write the bundle of a final model and verify it."""
    from alvision.deploy.bundle.export import export
    from alvision.deploy.train.final_model import load

    taken, rest = take(words, "out", "bundle", "format", "debug")
    if "out" not in taken or rest:
        raise UserError(
            "export needs a run's folder with a final model: alvision export out=runs/brakes "
            "bundle=brakes.bundle format=onnx|openvino|torch"
        )
    root = Path(taken["out"])
    folder = Path(taken.get("bundle") or root / "bundle")
    config = load_run_config_in_place(root)
    with lock(root):
        final = load(config, root)
        with bar("exporting") as progress:
            found = export(
                final,
                config,
                folder,
                format=taken.get("format", "onnx"),
                progress=lambda what, done, total: progress(done, total),
            )
    for backend, worst in found.differences.items():
        console.print(f"{backend}: {found.images} images decided alike, logits within {worst:.2g}")
    console.print(f"bundle: {folder}; next: alvision threshold bundle={folder}", markup=False)
    return 0
