"""What `labels audit` prints and writes: the rates, and the table of the images that wait."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alvision.advice.wording import hundred
from alvision.core.shell import command
from alvision.labels.csv_dialect import write_table
from alvision.loop.pool_audit import audit_pool
from alvision.reporting.run.summary import AUDIT_RATES

if TYPE_CHECKING:
    from alvision.dataset.dataset import DataSet
    from alvision.labels.store import LabelStore

TABLE = "to-audit.csv"


def audit(data: DataSet, store: LabelStore, out: Path, n: int) -> None:
    """Go on with a run's audit, print what it says, and write the images that wait for an answer.

    Raises:
        UserError: The run cannot be audited, see `audit_pool`.
    """
    number, audit = audit_pool(data, store, out, n)
    print(f"the model of round {number}, on {len(audit.calls):,} images that had no label then:")
    for name, rate in audit.rates.items():
        ends = f"{hundred(rate.low)} to {hundred(rate.high)}, 95 % sure however often you look"
        checked = f"{rate.images:,} of the drawn images"
        print(f"- {AUDIT_RATES[name]}: {hundred(rate.rate)} of 100 ({ends}; by {checked})")
    if audit.open:
        table = out / TABLE
        write_table(table, ["id", "label"], [[id, ""] for id in audit.open], bom=True)
        bring = command("alvision", "labels", "import", f"out={out}", f"from={table}")
        print(f"{len(audit.open)} images wait in {table}: fill in their labels, then {bring}")
