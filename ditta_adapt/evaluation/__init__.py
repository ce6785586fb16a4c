"""Compare methods on a data set: see `evaluate.evaluate` and the command `ditta-adapt eval`."""

from ditta_adapt.evaluation.comparison import Comparison, compare, render_comparison
from ditta_adapt.evaluation.evaluate import Plan, evaluate
from ditta_adapt.evaluation.method_names import Parts, method_names
from ditta_adapt.evaluation.result import Case, VideoResult
from ditta_adapt.evaluation.split import split_video
from ditta_adapt.evaluation.table import Row, pool, render, to_csv
from ditta_adapt.running.warmup import Warmup, parse_warmup

__all__ = [
    "Case",
    "Comparison",
    "Parts",
    "Plan",
    "Row",
    "VideoResult",
    "Warmup",
    "compare",
    "evaluate",
    "method_names",
    "parse_warmup",
    "pool",
    "render",
    "render_comparison",
    "split_video",
    "to_csv",
]
