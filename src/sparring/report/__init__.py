"""One page on what was run: verdicts, samples, curves, figures, times. Reads files; torch-free."""

from .experiments import Shown, collect
from .page import page_of
from .table import sweep_csv

__all__ = ["Shown", "collect", "page_of", "sweep_csv"]
