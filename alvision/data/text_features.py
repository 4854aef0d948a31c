"""Features of texts: TF-IDF and a singular value decomposition, or a model of sentences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.data.cache import cache_folder

if TYPE_CHECKING:
    import numpy as np

    from alvision.core.records import SampleId
    from alvision.data.manifest import Manifest

WIDTH = 64
"""Features of a text at most. Heads standardise each of them, so faint directions, which are rare
words and misspellings, would be as loud as the subjects: with 128, few labels taught less."""
LEAST = 8
"""Texts that a decomposition needs: fewer say nothing of which words belong together."""
TERMS = 30_000
"""Words, and as many pieces of words, that are counted: the most frequent ones of the pool."""


def with_text_features(
    manifest: Manifest, pool: Collection[SampleId], folder: str | None
) -> Manifest:
    """Return a list of texts with their features, from the cache if they were made before.

    Args:
        manifest: Texts without features.
        pool: The texts that may be learned from; held-out ones take no part in the fit.
        folder: A model of the package sentence-transformers; None: TF-IDF of the pool.

    Raises:
        UserError: The texts are too few, or the model cannot be read.
    """
    import numpy as np

    texts = {id: str(one.text) for id, one in zip(manifest.ids, manifest.shown, strict=True) if one}
    known = [texts[id] for id in manifest.ids if id in pool]
    every = list(texts.values())
    if folder is None:
        made_by: list[Any] = [*_versions(), WIDTH, TERMS, known]
    else:
        made_by = ["sentence-transformers", _content(Path(folder))]
    key = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:32]
    rows = hashlib.sha256(json.dumps([key, every]).encode()).hexdigest()[:32]
    path = cache_folder() / "text" / f"{rows}.npy"
    if not path.exists():
        found = lsa(known, every) if folder is None else sentences(Path(folder), every)
        path.parent.mkdir(parents=True, exist_ok=True)

        def write(beside: Path) -> None:
            with beside.open("wb") as file:
                np.save(file, found, allow_pickle=False)

        write_atomically(path, write)
    return replace(manifest, features=np.load(path, allow_pickle=False), features_by=key)


def lsa(known: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Return features of texts by latent semantic analysis, float32 [N, D], each of length one.

    Words and pairs of words, and pieces of 2 to 4 letters within a word, are weighed by TF-IDF
    (1 + log count, over the frequency among the known texts), and a truncated singular value
    decomposition keeps D <= 64 directions. The pieces stand for words that are misspelt, inflected
    or compound, and for languages that do not part words by spaces. Deerwester et al. 1990,
    doi 10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9.

    Args:
        known: The texts that frequencies and directions are learned from.
        texts: The texts to give features to.

    Raises:
        UserError: Fewer than 8 known texts, or no word in them.
    """
    import numpy as np
    import scipy.sparse
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    if len(known) < LEAST:
        raise UserError(
            f"{len(known)} texts to learn from are too few for TF-IDF: {LEAST} at least, or name a "
            "model of sentences, data.text_model=FOLDER"
        )
    views = [
        TfidfVectorizer(analyzer=kind, ngram_range=pair, sublinear_tf=True, max_features=TERMS)
        for kind, pair in (("word", (1, 2)), ("char_wb", (2, 4)))
    ]
    try:
        fitted = scipy.sparse.hstack([view.fit_transform(known) for view in views]).tocsr()
    except ValueError:
        raise UserError("the texts hold no words: is data.text_column the right one?") from None
    width = min(WIDTH, min(fitted.shape) - 1)
    # ARPACK from a stated start: the same texts give the same features.
    reduce = TruncatedSVD(width, algorithm="arpack", random_state=0).fit(fitted)
    counted = scipy.sparse.hstack([view.transform(texts) for view in views]).tocsr()
    return normalize(reduce.transform(counted)).astype(np.float32)


def sentences(folder: Path, texts: Sequence[str]) -> np.ndarray:
    """Return features of texts by a model of sentences on this disk, float32 [N, D].

    Raises:
        UserError: The package is missing, or the folder holds no such model.
    """
    import numpy as np

    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UserError(
            "data.text_model needs the package sentence-transformers: pip install "
            "sentence-transformers, or leave data.text_model out (TF-IDF)"
        ) from None
    try:
        # Only safetensors: other files of weights are pickles.
        model = SentenceTransformer(
            str(folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        found = model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"data.text_model={folder} cannot be read: {reason}") from None
    return np.asarray(found, dtype=np.float32)


def _versions() -> list[str]:
    import sklearn

    return ["lsa", sklearn.__version__]


def _content(folder: Path) -> list[tuple[str, str]]:
    if not (folder / "modules.json").is_file():
        raise UserError(
            f"data.text_model={folder} is no folder of sentence-transformers: it has no "
            "modules.json; download the model and name its folder"
        )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), _digest(path)) for path in files]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
