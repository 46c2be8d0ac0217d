"""The names of the files in a stage's state directory."""

import shutil
from pathlib import Path

JOB = "job.json"
"""What was planned: settings, device, precision."""
CHECKPOINT = "checkpoint.pt"
"""What training goes on from."""
PARTS = "parts"
"""Finished parts of a stage that makes one after another."""
LOCK, WANTED = "lock", "lock.wanted"
"""Who works here; who waits to do newer work."""
FINISHED, LINKS = "finished.json", "finished"
"""The last finished work, and hard links to its outputs."""


def clear_progress(directory: Path) -> None:
    """Forget what an unfinished attempt left."""
    (directory / CHECKPOINT).unlink(missing_ok=True)
    shutil.rmtree(directory / PARTS, ignore_errors=True)
