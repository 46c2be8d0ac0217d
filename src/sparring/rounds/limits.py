"""Refusals of what the scheduler or the machine could not give, before anything is submitted."""

from ..errors import UserError
from .loading import Rounds


def check_wall_time(rounds: Rounds, job: str, runtime: int | None) -> None:
    """Refuse a wall time in which a job could not save its state once."""
    config = rounds.config
    least = config.checkpoint_minutes + config.wall_time_margin_minutes
    if runtime is not None and runtime <= least:
        raise UserError(
            f"{job}: runtime is {runtime} min, not longer than checkpoint_minutes "
            f"({config.checkpoint_minutes:g}) and wall_time_margin_minutes "
            f"({config.wall_time_margin_minutes:g}) together; ask for a longer wall time, for "
            f"example --set-resources {job}:runtime={int(least) * 2 + 10}, or lower them in "
            f"{rounds.source}"
        )


def check_gpus(rounds: Rounds, limit: int | None) -> None:
    """Refuse experiments whose jobs want more GPUs than the run may use at once.

    Snakemake would start them with as many as there are, without a word.
    """
    for name in (*rounds.experiments, *rounds.vqgans):
        wanted = rounds.gpus_of(name)
        if limit is not None and rounds.device_of(name) == "cuda" and wanted > limit:
            raise UserError(
                f"{rounds.file(name)}: gpus is {wanted}, but this run may use {limit} (resources: "
                f"gpu={limit} in the profile); set gpus: {limit}, or gpu={wanted} in the profile "
                "if the machine has as many"
            )
