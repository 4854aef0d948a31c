"""What has been taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from alvision.core.records import Event


def taken_back(events: Iterable[Event]) -> set[str]:
    """Return the uuids that undos take back, whether or not their events are there yet.

    An undo may itself be undone, and then what it took back stands again. Anyone may undo
    anyone's event. The order of events does not matter; undos that take back one another in a
    ring take back nothing.

    >>> undo = lambda uuid, target: Event("a.png", "undo", None, "me", 0, uuid, target=target)
    >>> taken_back([undo("u1", "x")]), taken_back([undo("u1", "x"), undo("u2", "u1")])
    ({'x'}, {'u1'})
    """
    targets = {event.uuid: event.target for event in events if event.kind == "undo"}
    undecided = Counter(target for target in targets.values() if target in targets)
    decided = [uuid for uuid in targets if not undecided[uuid]]
    back: set[str] = set()
    for uuid in decided:  # grows while it is walked: an undo is decided after all undos of it
        target = targets[uuid]
        if uuid not in back and target is not None:
            back.add(target)
        if target in targets:
            undecided[target] -= 1
            if not undecided[target]:
                decided.append(target)
    return back
