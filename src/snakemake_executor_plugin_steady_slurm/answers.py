"""What Slurm says about jobs, in words that the plugin understands.

snakemake-executor-plugin-slurm 2.8.0 takes every status that it does not know for "still running",
and so polls for ever after a job of which

- `sacct` says `CANCELLED by 1000`: only the bare word `CANCELLED` counts as failed;
- Slurm says `PREEMPTED` and leaves it at that (PreemptMode=CANCEL): the first time it is kept with
  a warning, in the belief that Slurm will requeue it, and any other time without one;
- Slurm says `NODE_FAIL` and leaves it at that, where the setting `requeue` is on;
- `squeue` says nothing any more: it finished more than MinJobAge ago, while Snakemake was stopped,
  its machine asleep or the controller away, or the controller lost its state.

All of them are failures here. A job that had finished after all costs one more submission: its
stage finds the work done.
"""

from collections import Counter
from collections.abc import Iterable

LEFT_TO_SLURM = {"PREEMPTED", "NODE_FAIL"}
PATIENCE = 3  # answers in a row: a job that is being requeued is out of sight for a moment


class Answers:
    """Translates one answer after the other, remembering what the jobs were last seen as."""

    def __init__(self) -> None:
        self._doubtful: Counter[str] = Counter()

    def translate(
        self, answer: dict[str, str], asked: Iterable[str], *, complete: bool
    ) -> dict[str, str]:
        """The status by job id. `complete`: a job that is not in the answer does not exist."""
        translated = {job: status.split()[0] for job, status in answer.items() if status.strip()}
        for job in asked:
            status = translated.get(job)
            if status in LEFT_TO_SLURM or (status is None and complete):
                self._doubtful[job] += 1
                gone = self._doubtful[job] >= PATIENCE
                translated[job] = "FAILED" if gone else "PENDING"
            else:
                self._doubtful.pop(job, None)
        return translated
