"""`train`, `export`, `threshold`, `predict`: from labels to a model on the line."""

from __future__ import annotations

from pathlib import Path

from alvision.cli.console import bar
from alvision.cli.run import console, saved
from alvision.config.compose import compose
from alvision.config.overrides import take, tidy
from alvision.config.schema import RunConfig
from alvision.core.errors import UserError
from alvision.core.rounds import DOCUMENT, claim, lock
from alvision.dataset.dataset import people, sources
from alvision.run_folder.experiment_file import document


def train(words: list[str]) -> int:
    """Train the final model of a run, or of data that is labelled already."""
    from alvision.deploy.train.final_model import FOLDER, train
    from alvision.deploy.train.labelled_data import take_truth

    taken, rest = take([tidy(word) for word in words], "out", "debug")
    root = Path(taken.get("out", "").strip("'"))
    if taken.get("out") and not rest and (root / DOCUMENT).exists():
        config, fresh = of_run(root), None
    else:
        fresh = compose(words)
        config = fresh.config
        root = Path(str(config.out))
    with lock(root):
        if fresh:
            config.classes = list(sources(config).classes)
            claim(root, document(config, fresh.choices, fresh.command, anonymous=people(config)))
        if not people(config) and not (root / "rounds").exists():
            take_truth(config)
        about = train(config, root).about
    judged, labels = about["monitor"], about["labels"]
    told = ", ".join(f"{count} {name}" for name, count in labels.items())
    console.print(f"trained on {sum(labels.values())} labels: {told}", markup=False)
    if judged["n"]:
        console.print(
            f"{judged['n']} monitor images: accuracy {judged['accuracy']:.3f}, "
            f"macro-F1 {judged['macro_f1']:.3f}, temperature {about['temperature']:.2f} "
            f"(calibration error {judged['ece_before']:.3f} before, {judged['ece']:.3f} after)"
        )
    else:
        console.print("no monitor image is labelled yet, so nothing is known about its quality")
    console.print(f"model: {root / FOLDER}; next: alvision export out={root}", markup=False)
    return 0


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
    config = of_run(root)
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
    for backend, worst in found["differences"].items():
        console.print(
            f"{backend}: {found['images']} images decided alike, logits within {worst:.2g}"
        )
    console.print(f"bundle: {folder}; next: alvision threshold bundle={folder}", markup=False)
    return 0


def threshold(words: list[str]) -> int:
    """Set the threshold of a bundle by a promise, or refuse."""
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.threshold.plan import Ask
    from alvision.deploy.threshold.set_threshold import judge
    from alvision.deploy.train.labelled_data import gather

    keys = ("bundle", "out", "escape", "confidence", "threshold.independent", "human", "look")
    taken, rest = take(words, *keys, "scrap", "debug")
    if "bundle" not in taken or rest:
        raise UserError(
            "threshold needs a bundle and nothing but its own keys: alvision threshold "
            f"bundle=brakes.bundle escape=0.02 confidence=0.95{strange(rest)}"
        )
    bundle = open_bundle(Path(taken["bundle"]))
    config = of_run(Path(taken.get("out") or bundle.about["run"]))
    costs = ("look" in taken) + ("scrap" in taken)
    if costs == 1 or (costs and "human" in taken):
        raise UserError("give look= and scrap= (costs), or human= (a share of the parts), or none")
    ask = Ask(
        escape=number(taken.get("escape", "0.02"), "escape", 0, 1),
        confidence=number(taken.get("confidence", "0.95"), "confidence", 0, 1),
        independent=taken.get("threshold.independent", "false").lower() == "true",
        human=number(taken["human"], "human", 0, 1) if "human" in taken else None,
        costs=(
            number(taken["look"], "look", 0, float("inf")),
            number(taken["scrap"], "scrap", 0, float("inf")),
        )
        if costs
        else None,
    )
    with lock(Path(str(config.out))), bar("reading the seal") as progress:
        told = judge(bundle, gather(config), config, ask, progress=progress)
    console.print(told["promise"], markup=False)
    if told["human"]:
        share = f"{100 * told['human']:.0f} in 100"
        console.print(
            f"pass below {told['low']:.4f}, reject from {told['high']:.4f}, a person looks "
            f"between them ({share})"
        )
    else:
        console.print(f"reject from {told['low']:.4f}")
    for name, own in told["per_class"].items():
        console.print(f"{name}: {_class_words(own)}", markup=False)
    console.print("It does not hold for: " + "; ".join(told["voids"]), markup=False)
    console.print(f"next: alvision report bundle={bundle.folder}", markup=False)
    return 0


def predict(words: list[str]) -> int:
    """Run a bundle over a folder; status 1 if an image cannot be read."""
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.bundle.predict import images_in
    from alvision.reporting.predictions.table import write

    taken, rest = take(words, "bundle", "images", "to", "debug")
    if not {"bundle", "images"} <= taken.keys() or rest:
        raise UserError(
            "predict needs a bundle and a folder: alvision predict bundle=brakes.bundle "
            f"images=incoming/ to=predictions.csv{strange(rest)}"
        )
    bundle, root = open_bundle(Path(taken["bundle"])), Path(taken["images"])
    paths = images_in(root)
    to = Path(taken.get("to") or "predictions.csv")
    with bar("predicting") as progress:
        counts = write(bundle, paths, root, to, progress=progress)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    console.print(f"{len(paths)} images: {told}", markup=False)
    console.print(f"table: {to}, page: {to.with_suffix('.html')}", markup=False)
    return int(bool(counts.get("unreadable")))


def of_run(root: Path) -> RunConfig:
    """Read back a run's configuration, to work in its folder."""
    config, manifest, _ = saved(root)
    config.out = str(root)
    if manifest is None:
        raise UserError(f"the images of {root} are not where they were ({config.data.root})")
    return config


def _class_words(own: dict[str, object]) -> str:
    if own["holds"] is None:
        return f"no promise of its own, {own['defects']} sealed and {own['needed']} needed"
    if own["holds"]:
        return f"the promise holds for it alone too ({own['defects']} sealed)"
    return f"the promise does NOT hold for it alone ({own['defects']} sealed)"


def strange(rest: list[str]) -> str:
    """Name the first word that a command does not know."""
    return f" (what is {rest[0]}?)" if rest else ""


def number(text: str, key: str, low: float, high: float) -> float:
    """Read a number between two bounds.

    Raises:
        UserError: It is none, or not between them.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low < value < high and not (key == "human" and value in (0, 1)):
        raise UserError(f"{key}={text} must be a number between {low:g} and {high:g}")
    return value
