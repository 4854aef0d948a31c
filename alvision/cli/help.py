"""`--help` that teaches: commands, keys and their meaning, read from the schema's docstrings."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from alvision.config.schema import RunConfig
from alvision.core.version import CONFIG_DIR, __version__

COMMANDS = {
    "check": "look over a data set before anyone spends a label on it",
    "run": "active learning, round by round; the same command resumes it",
    "label": "label photographs in the browser while the model learns beside it",
    "compare": "several acquisition functions over several seeds, with a verdict",
    "report": "rebuild the report of a run or a study, or write the shop report of a bundle",
    "labels": "the labels that were given: out and in, checked, told, kept twice",
    "cache": "list, verify or prune the features that are kept on disk",
    "train": "the final model, from all labels, with calibrated probabilities",
    "export": "a final model as a folder that runs anywhere, verified",
    "threshold": "the threshold that provably lets few defects through, or a refusal",
    "predict": "a bundle over a folder of photographs: a table and a page",
    "promote": "a new bundle onto the line if it is no worse than the old one, and back",
    "watch": "a bundle beside the line: sort images as they arrive, warn when they change",
}
USAGE = {
    "check": """\
alvision check data=folder data.root=parts/
alvision check data=csv data.root=parts/ data.file=labels.csv to=check.html

Reads every image once, prints what it finds and writes a page with pictures
(to=, default runs/<name>/check.html). Ends with status 1 if something must be
mended first. seconds= is the time that one answer takes, for the hours that
labelling everything would take.""",
    "run": """\
alvision run data.root=parts/ model=resnet18 acquisition=bald trainer=gpu
alvision run experiment=elpv seed=3
alvision run -m experiment=elpv acquisition=margin,bald seed=0,1,2
alvision run data.root=photos oracle=files "classes=[ok,worn]" "defects=[worn]"

Class folders (parts/ok, parts/worn) or a label column simulate the person who
labels; oracle=files asks people: it writes a table to fill in and waits.
The same command resumes. -m runs every combination of several values;
hydra/launcher=joblib (submitit_local, submitit_slurm, ray) runs them at once.
Your own strategy: ./configs/acquisition/mine.yaml, `_target_: my_scores.f`.
Quote brackets, for shells eat them.""",
    "label": """\
alvision label data.root=photos
alvision label data.root=photos "classes=[ok,scratch,dent]" "defects=[scratch,dent]"
alvision label data.root=photos page.host=0.0.0.0 labels.votes=2

Opens a page in the browser; the first image is there at once. Without classes=
the page asks for them. One key answers: 1-9 a class, space skips, u unsure,
z takes back, ? shows all keys. Beside it the model learns: after every batch it
trains and chooses the next images; nobody waits for it. Some images are drawn at
random and asked blind: they alone say how good the model is.
Every answer is stored before the next image shows. Ctrl-C ends it; the same
command goes on where it was. Labels that are there already count.
page.host=0.0.0.0 lets others in who have the link (names, no accounts); an image
on somebody's screen is given to nobody else meanwhile.
Quote brackets, for shells eat them.""",
    "compare": """\
alvision compare experiment=elpv "acquisition=[random_sampling,margin]" seeds=12

Every acquisition function runs with every seed, from the same first labels;
random_sampling is what the others are measured against. jobs= is how many run
at once: by default one a GPU, which it has to itself (more jobs share them in
turn), or one a core where heads are trained on a CPU. Finished runs are not
repeated: the same command resumes, more seeds extend.
All other keys are those of `run`.""",
    "report": """\
alvision report out=runs/elpv/margin/seed-0
alvision report out=runs/elpv
alvision report bundle=brakes.bundle

A run's folder or a study's. Of a bundle it is the shop report (to=, default
report.html in the bundle): what is promised, or what could be and how many bad
parts that takes (escape=, confidence=), the pictures that slip through or are
stopped for nothing, the borderline, labels and agreement, and what to
photograph more of. It judges monitor images; the seal is not read by it.""",
    "train": """\
alvision train out=runs/brakes/uncertainty_herding/seed-0
alvision train data=csv data.root=parts/ data.file=labels.csv out=runs/brakes

Trains on every label that is not held out: those of the run in out=, or those
that the data itself names (class folders, a label column). The temperature and
every figure come from the monitor images, which nothing was trained on. Writes
<out>/final/: model.ckpt, model.json, monitor.parquet and reliability.png.""",
    "export": """\
alvision export out=runs/brakes bundle=brakes.bundle
alvision export out=runs/brakes bundle=brakes.bundle format=openvino

A bundle holds the network (model.onnx), everything about it (bundle.json), eight
golden images with the logits that they must give, a model card, and predict.py,
which needs onnxruntime, numpy and Pillow and nothing else. The export compares
every backend with the model on at least 64 images and refuses a difference.
format=openvino or torch adds that form.""",
    "threshold": """\
alvision threshold bundle=brakes.bundle escape=0.02 confidence=0.95
alvision threshold bundle=brakes.bundle escape=0.05 human=0.1
alvision threshold bundle=brakes.bundle look=1 scrap=20

The largest threshold whose escape rate is provably at most escape=, by the
sealed images alone. Too few sealed defects: it refuses, and says how many are
missing. Every reading of the seal is written down; another model is judged on
sealed defects that are new since, or has to prove more. One defect of each
group counts, for those of one lot are alike; threshold.independent=true takes
all of them. human= is the share of parts that a person has time for, look= and
scrap= are costs instead. Writes thresholds.json into the bundle.""",
    "predict": """\
alvision predict bundle=brakes.bundle images=incoming/ to=predictions.csv

One row an image (.csv or .parquet): class, verdict, defect score, novelty,
calibrated probabilities, and the reason where an image cannot be read. Beside
the table a page with the 500 most telling pictures and their heatmaps. Any
number of images, in constant memory. Status 1 if an image could not be read.""",
    "promote": """\
alvision promote bundle=new.bundle over=line.bundle margin=0.01
alvision promote rollback over=line.bundle

Both models judge the monitor images, which neither was trained on. The new one
takes the old one's place if its error rate, escape rate and overkill rate are
each shown not to be higher by margin= (margin.escape= for the escape rate
alone), with confidence=0.95, and no known defect newly escapes. One image of
each group counts; independent=true takes all of them. Else status 1, the reason
in one line, and the line stays as it is. to= is the page with the pictures that
the two models judge differently (default promotion.html). The old bundle is
kept as line.bundle.previous; rollback exchanges the two, and again.""",
    "watch": """\
alvision watch bundle=brakes.bundle images=inbox/ to=line/
alvision watch bundle=brakes.bundle images=inbox/ to=line/ once=true

Every image that arrives in inbox/ is judged once and moved to line/pass, reject,
human (between the two thresholds), new (nothing like it is known) or broken.
line/queue holds what people should label: the doubtful and novel ones (at most
batch=100 a day) and audit=0.05 of what passes, drawn at random. Their answers
(alvision label data.root=line/queue) bound the bad share of what passes.
line/status.html shows that bound, and warns with pictures when the line changes.
A file is taken when it has not changed for settle=2 seconds. Ctrl-C ends it; the
same command goes on, also after a kill, a loss of power or a full disk.
once=true works on what is there and ends, with status 1 if the line has changed.
labels.url= is the store of the answers, if it is not the one beside the queue.""",
    "labels": """\
alvision labels verify data.root=photos
alvision labels history data.root=photos n=20          (id= of one image)
alvision labels people data.root=photos                who agrees with the consensus
alvision labels export data.root=photos to=labels.csv  (form=log|votes|folders)
alvision labels import data.root=photos from=labels.csv "classes=[ok,worn]" by=anna
alvision labels backup data.root=photos to=kept
alvision labels push out=runs/photos/uncertainty_herding/seed-0 server=http://localhost:8080
alvision labels pull out=runs/photos/uncertainty_herding/seed-0 server=http://localhost:8080

The store is the one beside data.root, that of the run in out=, or labels.url=.
An import reads a table with the columns id and label (and by), class folders,
or an exported log; a backup (from=kept) rebuilds a store that is empty.
push sends a round's images to Label Studio with the model's opinion and the
reason, pull takes everybody's answers; both may be repeated. project= is its
project; your access token there goes into LABEL_STUDIO_API_KEY.
slot=seal sets the images of an imported table apart for `alvision threshold`: a
drawer of known bad parts, photographed as the line does, that nobody labelled
before.""",
    "cache": """\
alvision cache list
alvision cache verify
alvision cache prune keep=5

Features of frozen trunks, kept by the content of the images. verify reads every
byte and ends with status 1 if a part is damaged; prune removes damaged parts and
the caches that were not used for longest, down to keep= gigabytes (default
ALVISION_CACHE_GB, 20). Nothing is lost but time.""",
}


def overview() -> None:
    """Print what there is."""
    console = Console(highlight=False)
    console.print(f"alvision {__version__}: deep-learning active learning for defect inspection\n")
    console.print("alvision COMMAND [ACTION] key=value ...\n", markup=False)
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, meaning in COMMANDS.items():
        table.add_row(name, meaning)
    console.print(table)
    console.print("\n`alvision COMMAND --help` tells more; debug=true shows tracebacks.")


def command(name: str) -> None:
    """Print a command's usage; for those that configure a run, its keys and options too."""
    console = Console(highlight=False)
    console.print(f"{name}: {COMMANDS[name]}\n")
    console.print(USAGE[name], markup=False)
    if name in ("report", "labels", "export", "threshold", "predict", "promote", "watch"):
        return
    console.print("\nOptions (group=option):")
    table = Table(box=None, show_header=False, padding=(0, 2))
    for group, options in groups().items():
        table.add_row(group, ", ".join(options))
    console.print(table)
    console.print("\nKeys, with their defaults where no option sets another:")
    table = Table(box=None, show_header=False, padding=(0, 2))
    for key, meaning in meanings(RunConfig).items():
        table.add_row(escape(f"{key}={_default(key)}"), escape(meaning))
    console.print(table)


def _default(key: str) -> str:
    value: Any = RunConfig()
    for part in key.split("."):
        value = getattr(value, part)
    if value is None:
        return "null"
    return "" if value == MISSING else str(value).lower() if isinstance(value, bool) else str(value)


def groups() -> dict[str, list[str]]:
    """Return each configuration group's options, those of ./configs included."""
    found: dict[str, set[str]] = {}
    for folder in (CONFIG_DIR, Path.cwd() / "configs"):
        for path in sorted(folder.glob("*/*.yaml")):
            found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(options) for group, options in found.items()}


def meanings(schema: Any, prefix: str = "") -> dict[str, str]:
    """Read each key's meaning from the `Attributes:` of the schema's docstrings.

    >>> meanings(RunConfig)["seed"]
    'Split, cold start, training and selection all follow from it.'
    """
    text = inspect.getdoc(schema) or ""
    entries = re.findall(r"^    (\w+): ((?:.+)(?:\n {8}.+)*)", text, flags=re.MULTILINE)
    told = {name: " ".join(meaning.split()) for name, meaning in entries}
    found: dict[str, str] = {}
    for field in fields(schema):
        part = field.default_factory
        if isinstance(part, type) and is_dataclass(part):
            found |= meanings(part, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = told.get(field.name, text.splitlines()[0])
    return found
