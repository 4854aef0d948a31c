"""The signature of a JSON file of a bundle: a change by hand shows when the file is read.

It guards against accidents and well-meant edits, not against somebody who signs anew.
`predict_script` copies `signature` into a bundle's `predict.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SIGNATURE = "sha256"
"""The key that holds the signature of all other values."""


def signature(content: Mapping[str, Any]) -> str:
    """Return the sha256 of JSON values, whatever the order of their keys.

    >>> signature({"a": 1, "b": 2}) == signature({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def signed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON values with their signature, the last key."""
    return {**content, SIGNATURE: signature(content)}
