"""A bundle: a folder with all that a line needs to run a model, and the check that it is whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.data.images import ImageSpec
from alvision.deploy.bundle.swap_folder import recover

FORMAT = 2
ABOUT, NETWORK, REFERENCE, USUAL, THRESHOLDS = (
    "bundle.json",
    "model.onnx",
    "novelty.npy",
    "usual.npz",
    "thresholds.json",
)


class Output(NamedTuple):
    """What the network says: logits [B,C], features [B,D], activation maps [B,M,h,w], float32."""

    logits: np.ndarray
    features: np.ndarray
    maps: np.ndarray


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been checked.

    Attributes:
        folder: Where it lies.
        about: What `bundle.json` says.
        thresholds: What `thresholds.json` says; None before `alvision threshold`.
    """

    folder: Path
    about: dict[str, Any]
    thresholds: dict[str, Any] | None = None
    _sessions: dict[int, Any] = field(default_factory=dict, repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the class of each logit."""
        return tuple(self.about["classes"])

    @property
    def defects(self) -> tuple[str, ...]:
        """Return the classes that are defects; may be empty."""
        return tuple(self.about["defects"] or ())

    @property
    def spec(self) -> ImageSpec:
        """Return how a file becomes what the network sees."""
        return ImageSpec.from_dict(self.about["image"])

    @cached_property
    def identity(self) -> str:
        """Return the sha256 of what decides: `bundle.json`, which names all the other files'."""
        return file_hash(self.folder / ABOUT)

    @cached_property
    def reference(self) -> np.ndarray:
        """Return the known features that novelty is measured against, [M, D]."""
        return np.load(self.folder / REFERENCE, allow_pickle=False)

    def run(self, pixels: np.ndarray, *, threads: int = 0) -> Output:
        """Run the network on uint8 pixels [B,H,W,3].

        Args:
            pixels: What `images.load` gives.
            threads: Threads of the runtime; 0: one a core.
        """
        return Output(*self.open(threads=threads).run(None, {"pixels": pixels}))

    def open(self, *, threads: int = 0) -> Any:
        """Return the network in the runtime, opened once; several threads may run it at once."""
        if threads not in self._sessions:
            self._sessions[threads] = session(self.folder / NETWORK, threads)
        return self._sessions[threads]

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, softmax(logits / T), [B, C]."""
        return np.exp(log_softmax(logits.astype(np.float64) / self.about["temperature"], axis=1))

    def defect_scores(self, logits: np.ndarray) -> np.ndarray:
        """Return the probability that a part is defective in any way, [B]."""
        columns = [self.classes.index(name) for name in self.defects]
        return self.probabilities(logits)[:, columns].sum(axis=1)


def session(path: Path, threads: int = 0) -> Any:
    """Open a network in ONNX Runtime on the CPU.

    Raises:
        UserError: The extra is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError("a bundle needs ONNX Runtime: pip install alvision[export]") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def open_bundle(folder: Path) -> Bundle:
    """Read a bundle, and refuse one that is not what was exported.

    Raises:
        UserError: No bundle, one of another version, or a file in it has changed.
    """
    recover(folder)
    path = folder / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} is no bundle: it has no {ABOUT} (alvision export)") from None
    except ValueError:
        raise UserError(f"{path} is damaged: export the bundle again") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise UserError(
            f"{folder} was made by another version of alvision "
            f"({about.get('alvision', 'unknown') if isinstance(about, dict) else 'unknown'}): "
            "export it again with this one"
        )
    for name, expected in about["files"].items():
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing: copy the bundle again, all of it")
        if file_hash(folder / name) != expected:
            raise UserError(
                f"{folder / name} is not what was exported (its bytes have changed): "
                "copy the bundle again, or export it again"
            )
    bundle = Bundle(folder, about)
    return Bundle(folder, about, _thresholds(bundle))


def write_thresholds(bundle: Bundle, content: dict[str, Any]) -> Path:
    """Write `thresholds.json`, tied to this bundle and signed with its own sha256."""
    document = {"bundle": bundle.identity, **content}
    document["sha256"] = _signature(document)
    path = bundle.folder / THRESHOLDS
    write_atomically(path, lambda beside: dump(document, beside))
    return path


def _thresholds(bundle: Bundle) -> dict[str, Any] | None:
    path = bundle.folder / THRESHOLDS
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        signature = document.pop("sha256")
    except (ValueError, KeyError, AttributeError):
        raise UserError(f"{path} is damaged: alvision threshold makes it again") from None
    if signature != _signature(document):
        raise UserError(f"{path} was changed by hand: alvision threshold makes it again")
    if document["bundle"] != bundle.identity:
        raise UserError(f"{path} belongs to another model: alvision threshold makes it again")
    return document


def _signature(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dump(content: dict[str, Any], path: Path) -> None:
    """Write JSON as people read it."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="")
