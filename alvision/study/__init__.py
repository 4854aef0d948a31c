"""Compare acquisition functions: many seeds, paired, with a verdict. No torch here."""

from alvision.study.collect import Study
from alvision.study.summary import Comparison, Row

__all__ = ["Comparison", "Row", "Study"]
