"""Moments as text: UTC in ISO 8601, to the millisecond, so that texts sort as the moments do."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return this moment.

    >>> len(now())
    24
    """
    return as_text(datetime.now(UTC))


def as_text(moment: datetime) -> str:
    """Return a moment; one without a time zone is in UTC already.

    >>> as_text(datetime(2026, 3, 2, 9, 30))
    '2026-03-02T09:30:00.000Z'
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def normalised(text: str) -> str:
    """Return a moment that another tool wrote; without a time zone it is taken to be UTC.

    Raises:
        ValueError: It is not in ISO 8601.

    >>> normalised("2026-03-02 10:30:00+01:00"), normalised("2026-03-02T09:30:00.123456Z")
    ('2026-03-02T09:30:00.000Z', '2026-03-02T09:30:00.123Z')
    """
    try:
        return as_text(datetime.fromisoformat(text.strip()))
    except OverflowError as error:  # the first and the last day of the calendar, in another zone
        raise ValueError(f"{text!r} is out of range") from error
