"""What is downloaded, and the one line that says that it could not be."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from alvision.core.errors import UserError


@contextlib.contextmanager
def from_the_hub(what: str, else_use: str = "") -> Iterator[None]:
    """Turn a failed download into one line.

    Args:
        what: What could not be had.
        else_use: Another way, for the end of the line.
    """
    # The hub logs every retry; the one line says it all.
    hub = logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.CRITICAL)
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # every library reports a failed download in a way of its own
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        raise UserError(
            f"{what} could not be had ({reason}); without internet set model.weights=/path/to/file"
            f"{else_use}"
        ) from error
    finally:
        hub.setLevel(level)
