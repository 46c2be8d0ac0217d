"""What tests read of a finished run."""

import csv

import h5py

ARMS = ("adversarial", "control")
BASELINES = ("start_better_solver", "start_matched")


def rows_of(path):
    """The rows of a table, each by its columns."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def attributes(path):
    """What an HDF5 file says of itself."""
    with h5py.File(path) as file:
        return {k: v.decode() if isinstance(v, bytes) else v for k, v in file.attrs.items()}
