"""The rule that people chose for which photographs belong together, as the log has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alvision.core.records import Event
from alvision.labels.consensus import taken_back

GROUP_RULES = ("none", "parent", "pattern", "capture_time")
"""The rules that can be chosen on the page: those of `data.group_by` that need no table."""


@dataclass(frozen=True)
class GroupRule:
    """Say which photographs belong together: `data.group_by` and `data.group_pattern`."""

    group_by: str
    pattern: str | None = None

    def event(self, by: str, uuid: str) -> Event:
        """Return the event that chooses this rule."""
        return Event("", "groups", None, by, 0, uuid, target=self.group_by, note=self.pattern)


def chosen_groups(events: Iterable[Event]) -> GroupRule | None:
    """Return the rule that was chosen last; None where nobody chose one.

    >>> chosen_groups([GroupRule("pattern", "lot.").event("anna", "1")])
    GroupRule(group_by='pattern', pattern='lot.')
    """
    events = tuple(event for event in events if event.kind in ("groups", "undo"))
    back = taken_back(events)
    rules = [
        GroupRule(event.target, event.note)
        for event in events
        if event.kind == "groups" and event.target and event.uuid not in back
    ]
    return rules[-1] if rules else None
