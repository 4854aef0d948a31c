"""The random sample of what passed: what an image draws, and which share of all images it tells of.

Every image draws a number in [0, 1), and is checked by people if the number is below the share that
is in force. So whatever shares were in force, the images that drew less than t are a random sample
of all images that passed while the share was at least t.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from alvision.deploy.threshold.binomial import best_escape


def draw(name: str, sha256: str) -> float:
    """Return the number in [0, 1) that an image draws, the same one after every restart.

    It depends on the file alone and not on what the model thinks of the image, because the audit
    must be a random sample.

    >>> draw("a.png", "f00d") == draw("a.png", "f00d") != draw("b.png", "f00d")
    True
    """
    digest = hashlib.blake2b(f"audit\0{name}\0{sha256}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def most_telling(passed: Mapping[float, int], *, confidence: float) -> float:
    """Return the share that proves most, if all images of its sample turn out to be good.

    A low share speaks of more images, a high one has a larger sample. The choice looks at numbers
    of images only and never at answers, which would make the best-looking one win.

    Args:
        passed: How many images passed under each share.
        confidence: Confidence of the bound.

    Returns:
        One of the shares; 0 if nothing that passed could be drawn.

    >>> most_telling({0.5: 1000, 0.05: 4000, 0.0: 10}, confidence=0.95)
    0.05
    >>> most_telling({0.05: 9000, 0.001: 20}, confidence=0.95)
    0.05
    """

    def proven_good(share: float) -> float:
        covered = sum(count for other, count in passed.items() if other >= share)
        return covered * (1 - best_escape(int(share * covered), confidence=confidence))

    return max(sorted(share for share in passed if share > 0), key=proven_good, default=0.0)


def share_of(passed: Iterable[tuple[str, str, bool]]) -> float:
    """Return the share of images that were recorded without theirs.

    All that drew less than the first image that was not taken were taken, whatever the shares were.

    Args:
        passed: Name, hash and whether it was taken, of each image that passed.

    >>> share_of([("a.png", "f00d", True)])
    1.0
    """
    return min((draw(name, sha256) for name, sha256, taken in passed if not taken), default=1.0)
