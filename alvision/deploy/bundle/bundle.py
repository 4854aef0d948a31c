"""A bundle: a folder with everything that a line needs to run a model, checked when it is opened.

May be imported beside the line: neither torch nor the loop.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from alvision.core.errors import UserError
from alvision.data.image_spec import ImageSpec
from alvision.deploy.bundle.manifest import FORMAT, BundleManifest
from alvision.deploy.bundle.promise import promise
from alvision.deploy.bundle.run_tiles import BAG, run_tiles
from alvision.deploy.bundle.signature import SIGNATURE, signature
from alvision.deploy.bundle.swap_folder import recover
from alvision.deploy.bundle.thresholds import Thresholds, read_thresholds
from alvision.deploy.bundle.verdict import (
    FARTHEST,
    FEWEST_HELD_OUT,
    Decision,
    decide,
    defect_scores,
    novelty,
    softmax,
    strangest,
)

MANIFEST, NETWORK, KNOWN_FEATURES, REFERENCE_STATISTICS = (
    "bundle.json",
    "model.onnx",
    "novelty.npy",
    "usual.npz",
)


class Output(NamedTuple):
    """Output of the network: logits [B,C], features [B,D], activation maps [B,M,h,w], float32."""

    logits: np.ndarray
    features: np.ndarray
    maps: np.ndarray

    @property
    def finite(self) -> np.ndarray:
        """Tell for which images every number is finite, [B]; nothing can be decided on NaN."""
        numbers = np.concatenate([self.logits, self.features], axis=1)
        return np.isfinite(numbers).all(axis=1)


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been checked.

    Attributes:
        folder: Its folder.
        manifest: The content of `bundle.json`.
        thresholds: The content of `thresholds.json`; None before `alvision threshold`.
        identity: sha256 of `bundle.json`, which names the sha256 of every other file.
    """

    folder: Path
    manifest: BundleManifest
    thresholds: Thresholds | None = None
    identity: str = ""
    _sessions: dict[tuple[str, int], Any] = field(default_factory=dict, repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the class of each logit."""
        return self.manifest.classes

    @property
    def defects(self) -> tuple[str, ...]:
        """Return the classes that are defects; may be empty."""
        return self.manifest.defects or ()

    @property
    def good(self) -> tuple[str, ...]:
        """Return the classes of good parts; empty where no class is named as a defect.

        Every other label means a defect, also one that is newer than the bundle.
        """
        return tuple(name for name in self.classes if self.defects and name not in self.defects)

    @property
    def good_only(self) -> bool:
        """Tell whether it knows good parts only: no defect was labelled when it was trained."""
        return self.manifest.memory is not None

    @property
    def spec(self) -> ImageSpec:
        """Return how a file becomes what the network sees."""
        return self.manifest.image

    @property
    def promise(self) -> str | None:
        """Return the promise of the threshold as sentences; None without a threshold."""
        return promise(self.thresholds) if self.thresholds else None

    @cached_property
    def model(self) -> str:
        """Return a name of what decides: a hash of the bundle and its thresholds."""
        # As JSON, "null" without thresholds: watch.db holds these hashes for years.
        limits = self.thresholds.text if self.thresholds else "null"
        return hashlib.sha256(f"{self.identity}{limits}".encode()).hexdigest()[:16]

    def read(self, name: str) -> bytes:
        """Return the content of a file, checked at each reading.

        Another bundle may have taken the folder since this one was opened, and a network of one
        with the classes of the other must never judge.

        Raises:
            UserError: The file is not the one that was exported.
        """
        return _checked(self.folder / name, self.manifest.files.get(name, ""))

    @cached_property
    def known_features(self) -> np.ndarray:
        """Return the features of known images that novelty is measured against, [M, D]."""
        return np.load(io.BytesIO(self.read(KNOWN_FEATURES)), allow_pickle=False)

    @cached_property
    def tells_novelty(self) -> bool:
        """Tell whether there were enough held-out images to know which novelty is usual."""
        if self.good_only:
            return True
        content = io.BytesIO(self.read(REFERENCE_STATISTICS))
        with np.load(content, allow_pickle=False) as kept:
            return len(kept["facts"]) >= FEWEST_HELD_OUT

    def run(self, pixels: np.ndarray, *, threads: int = 0) -> Output:
        """Run the network.

        Args:
            pixels: Images as `images.load` returns them, uint8 [B,H,W,3], or one photograph in
                tiles, [1,rows,columns,H,W,3].
            threads: Threads of the runtime; 0: one for each core.
        """
        network = self.open(NETWORK, threads=threads)
        if self.spec.tiles is not None:
            return Output(*run_tiles(network, self.open(BAG, threads=threads), pixels[0]))
        return Output(*network.run(None, {"pixels": pixels}))

    def open(self, name: str = NETWORK, *, threads: int = 0) -> Any:
        """Return a network in the runtime, opened once; several threads may run it at once."""
        if (name, threads) not in self._sessions:
            self._sessions[name, threads] = session(self.read(name), threads)
        return self._sessions[name, threads]

    def defect_scores(self, logits: np.ndarray) -> np.ndarray:
        """Return the probability that a part is defective in any way, [B]."""
        return defect_scores(softmax(logits, self.manifest.temperature), self.classes, self.defects)

    def strangeness(self, output: Output) -> np.ndarray:
        """Return how unlike all that it knows images are, [B]; `decide` divides it by the usual."""
        if self.good_only:
            return strangest(output.maps)
        return novelty(output.features, self.known_features)

    def worth(self, decision: Decision) -> float:
        """Return how much a label would tell; of good parts alone the strangest ones most."""
        return decision.novelty if self.good_only else decision.worth

    @property
    def _usual(self) -> float:
        if self.manifest.memory is not None:
            return self.manifest.memory.usual
        return self.manifest.novelty.usual if self.tells_novelty else FARTHEST

    def decide(self, output: Output) -> list[Decision | None]:
        """Return the decision about each image; None where the network gives no finite numbers."""
        limits = self.thresholds
        rows = decide(
            output.logits,
            output.features,
            self.known_features,
            classes=self.classes,
            defects=self.defects,
            temperature=self.manifest.temperature,
            usual=self._usual,
            maps=output.maps if self.good_only else None,
            cutoffs=(limits.low, limits.high) if limits else None,
        )
        return [None if row is None else _decision(*row) for row in rows]


def _decision(name: str, verdict: str, score: float, strange: float, *likely: float) -> Decision:
    return Decision(name, verdict, score, strange, likely)


def session(network: bytes, threads: int = 0) -> Any:
    """Open the content of an ONNX file in ONNX Runtime on the CPU.

    Raises:
        UserError: The extra is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError("a bundle needs ONNX Runtime: pip install alvision[export]") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def open_bundle(folder: Path) -> Bundle:
    """Read a bundle and check that every file is the one that was exported.

    Raises:
        UserError: There is no bundle, another version wrote it, or a file in it has changed.
    """
    recover(folder)  # a promotion that was killed may have left its folder under another name
    before = _content(folder)
    try:
        return _opened(folder, before)
    except UserError:
        if _content(folder) == before:
            raise
        # Another bundle has taken the folder while this one was read.
        return _opened(folder, _content(folder))


def _opened(folder: Path, content: bytes) -> Bundle:
    manifest = _manifest(folder, content)
    for name, expected in manifest.files.items():
        _checked(folder / name, expected)
    identity = hashlib.sha256(content).hexdigest()
    return Bundle(folder, manifest, read_thresholds(folder, identity), identity)


def _checked(path: Path, expected: str) -> bytes:
    """Return a file's content if it has the expected sha256."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} is missing: copy the whole bundle again") from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise UserError(
            f"{path} is not what was exported (its bytes have changed): "
            "copy the bundle again, or export it again"
        )
    return content


def _content(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{folder} is no bundle: it has no {MANIFEST} (alvision export)") from None


def _manifest(folder: Path, content: bytes) -> BundleManifest:
    path = folder / MANIFEST
    try:
        values = json.loads(content)
    except ValueError:
        raise UserError(f"{path} is damaged: export the bundle again") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        written_by = values.get("alvision", "unknown") if isinstance(values, dict) else "unknown"
        raise UserError(
            f"{folder} was made by another version of alvision ({written_by}): export it again "
            "with this one"
        )
    # Earlier exports are not signed.
    if values.pop(SIGNATURE, None) not in (None, signature(values)):
        raise UserError(f"{path} was changed by hand: export the bundle again")
    try:
        manifest = BundleManifest.from_json(values)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"{path} is damaged: export the bundle again") from None
    unknown = [name for name in manifest.defects or () if name not in manifest.classes]
    if unknown:
        raise UserError(
            f"{folder} calls {unknown[0]} a defect, and its network does not know that class: "
            "train and export again"
        )
    return manifest
