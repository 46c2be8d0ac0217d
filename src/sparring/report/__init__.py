"""One page on what was run: verdicts, samples, curves, figures, times. Reads files; torch-free."""

from .experiments import collect
from .page import page_of
from .shown import Shown
from .table import sweep_csv
from .volume_table import volumes_csv, volumes_file

__all__ = ["Shown", "collect", "page_of", "sweep_csv", "volumes_csv", "volumes_file"]
