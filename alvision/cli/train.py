"""`train`: the final model, from all labels."""

from __future__ import annotations

from pathlib import Path

from alvision.cli.console import console
from alvision.config.compose import compose
from alvision.config.overrides import take, tidy
from alvision.core.rounds import DOCUMENT, claim, lock
from alvision.dataset.dataset import DataSet
from alvision.run_folder.experiment_file import describe_run
from alvision.run_folder.load import load_run_config_in_place


def train(words: list[str]) -> int:
    """Train the final model of a run, or of data that is labelled already."""
    from alvision.deploy.train.final_model import FOLDER, train
    from alvision.deploy.train.labelled_data import import_truth

    taken, rest = take([tidy(word) for word in words], "out", "debug")
    root = Path(taken.get("out", "").strip("'"))
    if taken.get("out") and not rest and (root / DOCUMENT).exists():
        config, fresh = load_run_config_in_place(root), None
    else:
        fresh = compose(words)
        config = fresh.config
        root = Path(str(config.out))
    with lock(root):
        if fresh:
            classes = DataSet.open(config).classes
            described = describe_run(
                config,
                fresh.choices,
                fresh.command,
                classes=classes,
                anonymous=config.answered_by_people,
            )
            claim(root, described)
        if not config.answered_by_people and not (root / "rounds").exists():
            import_truth(config)
        facts = train(config, root).facts
    monitor, labels = facts.monitor, facts.labels
    counts = ", ".join(f"{count} {name}" for name, count in labels.items())
    console.print(f"trained on {sum(labels.values())} labels: {counts}", markup=False)
    if monitor.images:
        console.print(
            f"{monitor.images} monitor images: accuracy {monitor.accuracy:.3f}, "
            f"macro-F1 {monitor.macro_f1:.3f}, temperature {facts.temperature:.2f} "
            f"(calibration error {monitor.calibration_error_before:.3f} before, "
            f"{monitor.calibration_error:.3f} after)"
        )
    else:
        console.print("no monitor image is labelled yet, so nothing is known about its quality")
    console.print(f"model: {root / FOLDER}; next: alvision export out={root}", markup=False)
    return 0
