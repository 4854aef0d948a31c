"""What a server counts, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable

from alvision.core.errors import UserError

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_SIZES = (1, 2, 4, 8, 16, 32)


class Measures:
    """Count verdicts and refusals, and measure times and batches.

    Args:
        model: Names what decides.
        waiting: Returns how many photographs wait.

    Raises:
        UserError: prometheus-client is not installed.
    """

    def __init__(self, model: str, waiting: Callable[[], int]) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        except ImportError as error:
            raise UserError(
                'serve needs prometheus-client: pip install "alvision[machine]"'
            ) from error
        self._registry = CollectorRegistry()
        self.verdicts = Counter(
            "alvision_verdicts",
            "Photographs judged, by verdict.",
            ["verdict"],
            registry=self._registry,
        )
        self.refused = Counter(
            "alvision_refused", "Requests refused, by status.", ["status"], registry=self._registry
        )
        self.seconds = Histogram(
            "alvision_seconds",
            "From request to verdict.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.batches = Histogram(
            "alvision_batch",
            "Photographs judged together.",
            buckets=_SIZES,
            registry=self._registry,
        )
        Gauge("alvision_waiting", "Photographs that wait.", registry=self._registry).set_function(
            waiting
        )
        Gauge("alvision_model", "What decides.", ["model"], registry=self._registry).labels(
            model
        ).set(1)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        from prometheus_client import generate_latest

        return bytes(generate_latest(self._registry))
