"""The first page's question: which photographs belong together?"""

from __future__ import annotations

import logging
import threading
import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import Event, SampleId
from alvision.labels.groups import GroupRule
from alvision.page.requests import FirstClasses, Refused
from alvision.page.responses import GroupingRule, LookAlikes
from alvision.page.state import Images, PageState

if TYPE_CHECKING:
    from alvision.data.checks.views import Views  # its scipy would delay the first page

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grouping:
    """What the page needs to offer rules for groups.

    Attributes:
        look: Looks for photographs of one part; takes seconds.
        hold_out: Returns the held-out images under a rule, or raises UserError if it does not fit.
        fixed: Why the rule is chosen already; None where it can be chosen.
    """

    look: Callable[[], Views]
    hold_out: Callable[[GroupRule], frozenset[SampleId]]
    fixed: str | None = None


class GroupingApi:
    """Answer the requests about groups; looks at the photographs in a thread of its own.

    Args:
        state: The state.
        grouping: What can be offered; None offers nothing.
    """

    def __init__(self, state: PageState, grouping: Grouping | None) -> None:
        self._state = state
        self._grouping = grouping
        self._views: Views | None = None
        self._begun = threading.Lock()
        self._ended = threading.Event()

    def look_alikes(self) -> LookAlikes:
        """Return which photographs look like views of one part; the first call begins to look."""
        ended = self._ended.is_set()  # first: what is there once it has ended is all
        grouping, views = self._grouping, self._views
        if grouping is None or grouping.fixed is not None:
            return LookAlikes(ready=True, fixed=grouping.fixed if grouping else None)
        if views is None:
            if self._begun.acquire(blocking=False):
                threading.Thread(target=self._look, args=(grouping,), daemon=True).start()
            return LookAlikes(ready=ended)
        address = self._state.images.address
        return LookAlikes(
            ready=True,
            looked=views.looked,
            images=views.images,
            alike=views.alike,
            pairs=[[address(a), address(b)] for a, b in views.pairs],
            rules=[
                GroupingRule(
                    name=fit.name,
                    group_by=fit.group_by,
                    pattern=fit.pattern,
                    groups=fit.groups,
                    together=fit.together,
                )
                for fit in views.rules
            ],
        )

    def choose(self, request: FirstClasses) -> list[Event]:
        """Hold images out under the chosen rule; return the event that keeps it.

        Raises:
            Refused: The rule cannot be chosen any more, or does not fit these photographs.
        """
        if request.group_by is None or request.group_by == "none":
            return []
        grouping = self._grouping
        fixed = "this page has no photographs to group" if grouping is None else grouping.fixed
        if grouping is None or fixed is not None:
            raise Refused(f"the groups cannot be chosen here: {fixed}")
        state, rule = self._state, GroupRule(request.group_by, request.pattern)
        with state.lock:
            state.refresh()
            if state.ledger.classes.keys:
                return []  # somebody was faster, and with the classes the groups are settled too
        try:
            held_out = grouping.hold_out(rule)
        except UserError as error:
            raise Refused(str(error)) from None
        state.relist(Images(state.context.paths, held_out, state.hashes))
        return [rule.event(request.by, str(uuids.uuid4()))]

    def _look(self, grouping: Grouping) -> None:
        try:
            self._views = grouping.look()
        except Exception:  # the classes can be named without it
            _log.exception("the photographs cannot be looked at for views of one part")
        finally:
            self._ended.set()
