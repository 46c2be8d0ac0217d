"""Stages that sample a denoiser: an iteration's fakes, and samples to judge a model by."""

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..artefacts.conditions import COLUMN, conditions_attribute
from ..artefacts.digests import model_digest
from ..artefacts.latents import latents_info, storable, writing_latents
from ..artefacts.models import read_config
from ..errors import UserError
from ..models.autoencoder import autoencoder_digest
from ..models.denoiser import load_denoiser, num_conditions
from ..models.latent_scale import latent_channels
from ..models.moments import matching_to, required
from ..progress import progress
from ..randomness import Key
from ..sampling.conditions import Conditions, conditions_of
from ..sampling.sampler import Sampler
from ..settings.parts import SamplingSettings
from ..settings.stages import SampleEvaluation, SampleFake, SampleFakeShard
from ..settings.stages_by_hand import Sample
from ..training.state import PartsState
from .job import Job

logger = logging.getLogger(__name__)
_AT_ONCE = {"cuda": 512, "cpu": 1}  # a GPU is filled by several batches; a CPU is by one


@dataclass(frozen=True)
class Models:
    """What is sampled, and the autoencoder that its latents belong to."""

    denoiser: Path
    autoencoder: Path
    schedule: Path | None = None
    """scheduler_config.json, where it does not lie in the denoiser's directory."""
    conditions: Path | None = None
    """Latents of the training data, where the denoiser is class-conditional."""
    reference: Path | None = None
    """All train latents, where moments are matched to theirs."""

    @classmethod
    def given(cls, args: argparse.Namespace) -> "Models":
        """From the options that `add_sampled_models` and `add_reference` add."""
        reference = getattr(args, "reference", None)
        return cls(args.denoiser, args.autoencoder, None, args.conditions, reference)


@dataclass(frozen=True)
class Draw:
    """Which noises are taken, in which batches, and what the file says of itself."""

    key: tuple[Key, ...]
    batches: list[range]
    attributes: dict[str, Any]


def sample_fake(job: Job[SampleFake], models: Models, output: Path) -> None:
    """An iteration's fakes, with noise of its own."""
    _sample(job, models, _fakes(job.settings, 0, 1), output)


def sample_fake_shard(job: Job[SampleFakeShard], models: Models, output: Path) -> None:
    """One shard of them: whole batches, so that no latent depends on the number of shards.

    Moments are those of all shards together, so that `gather_fake` matches them.
    """
    s = job.settings
    if s.sampling.moments == "match":
        raise UserError(
            "sampling.moments is 'match', which is of all shards together; leave it out here, and "
            "give gather_fake moments: match and --reference"
        )
    _sample(job, models, _fakes(s, s.shard, s.shards), output)


def sample_evaluation(job: Job[SampleEvaluation], models: Models, output: Path) -> None:
    """Samples to judge a model by, from the same noise for every model."""
    s = job.settings
    batches = batches_of(s.num_samples, s.sampling.batch_size)
    _sample(job, models, Draw(("sample_evaluation",), batches, {"kind": "evaluation"}), output)


def sample(job: Job[Sample], models: Models, output: Path) -> None:
    """Samples to look at, with noise of their own."""
    batches = batches_of(job.settings.num_samples, job.settings.sampling.batch_size)
    _sample(job, models, Draw(("sample",), batches, {"kind": "sample"}), output)


def batches_of(count: int, size: int, shard: int = 0, shards: int = 1) -> list[range]:
    """Sample numbers 0 to `count` - 1 in batches; of these the share of one shard."""
    batches = [range(start, min(start + size, count)) for start in range(0, count, size)]
    return batches[shard * len(batches) // shards : (shard + 1) * len(batches) // shards]


def blocks_of(batches: list[range], at_once: int) -> list[range]:
    """The numbers of consecutive batches that are sampled together: as many as hold `at_once`."""
    width = max(1, at_once // len(batches[0])) if batches else 1
    return [range(n, min(n + width, len(batches))) for n in range(0, len(batches), width)]


def _fakes(s: SampleFake, shard: int, shards: int) -> Draw:
    batches = batches_of(s.num_samples, s.sampling.batch_size, shard, shards)
    return Draw(("sample_fake", s.iteration), batches, {"kind": "fake", "iteration": s.iteration})


def _sample(job: Job[Any], models: Models, draw: Draw, output: Path) -> None:
    """Sample what earlier attempts have not, then stream all of it to `output`.

    Memory does not grow with the number of samples. Parts are kept as they were sampled, and are
    matched on the way to `output`: moments are of all of them.
    """
    settings, state = job.settings.sampling, job.parts_state()
    if settings.moments == "match":
        required(models.reference)
    conditions = _conditions(job, models, draw)
    _sample_parts(job, models, draw, conditions, state, output)
    attributes = draw.attributes | {
        "autoencoder_digest": autoencoder_digest(models.autoencoder),
        "source_digest": model_digest(models.denoiser),
        "sampler": settings.sampler,
        "num_steps": settings.num_steps,
        "moments": settings.moments,
        "seed": job.settings.seed,
        **conditions_attribute(conditions.names if conditions else []),
    }
    numbers = np.concatenate([np.arange(b.start, b.stop) for b in draw.batches])
    parts = range(len(draw.batches))
    matched: Callable[[np.ndarray], np.ndarray] | None = None
    if settings.moments == "match":
        whole = (state.read(part) for part in parts)
        matched = matching_to(models.reference, whole, attributes["autoencoder_digest"])
    with writing_latents(output, len(numbers), attributes) as writer:
        for part in parts:
            rows = state.read(part)
            writer.append(matched(rows) if matched else rows)
        writer.column("noise_index", numbers)
        if conditions:
            writer.column(COLUMN, np.concatenate([conditions.of(b) for b in draw.batches]))
    logger.info("%d latents by %s in %d steps", len(numbers), settings.sampler, settings.num_steps)


def _conditions(job: Job[Any], models: Models, draw: Draw) -> Conditions | None:
    only = getattr(job.settings, "condition", None)
    if models.conditions is not None:
        return conditions_of(
            latents_info(models.conditions), job.settings.seed, *draw.key, only=only
        )
    if only is not None:
        raise UserError(
            f"condition is {only!r}, but --conditions is missing: it names latents of the training "
            "data, which know the conditions"
        )
    return None


def _sample_parts(
    job: Job[Any],
    models: Models,
    draw: Draw,
    conditions: Conditions | None,
    state: PartsState,
    output: Path,
) -> None:
    compute = job.compute()
    model, schedule = load_denoiser(models.denoiser, models.schedule)
    _require_channels(model.config.in_channels, models)
    _require_conditions(num_conditions(model), conditions, job.settings.sampling, models)
    sampler = Sampler(compute.place(model), schedule, job.settings.sampling, compute)
    total, started, made = len(draw.batches), time.monotonic(), 0
    together = blocks_of(draw.batches, _AT_ONCE[compute.device.type])
    for parts in progress(together, "sampling", len(together), "block"):
        if any(state.load(part) is None for part in parts):
            numbers = range(draw.batches[parts[0]].start, draw.batches[parts[-1]].stop)
            labels = None
            if conditions:
                labels = torch.from_numpy(conditions.of(numbers)).to(compute.device)
            latents = sampler.sample(numbers, job.settings.seed, *draw.key, labels=labels)
            rows = storable(latents.cpu().numpy(), output)
            for part in parts:
                batch = draw.batches[part]
                start = batch.start - numbers.start
                state.save(part, rows[start : start + len(batch)])
            made += len(parts)
        pace = (time.monotonic() - started) / made if made else None
        left = None if pace is None else pace * (total - parts.stop)
        job.note({"done": parts.stop, "total": total, "unit": "batch", "seconds_left": left})
    if made < total:
        logger.info("%d of %d batches were sampled by earlier attempts", total - made, total)


def _require_conditions(
    known: int, conditions: Conditions | None, settings: SamplingSettings, models: Models
) -> None:
    found = len(conditions.names) if conditions else 0
    if known and not found:
        raise UserError(
            f"{models.denoiser}: a class-conditional denoiser of {known} conditions; add "
            "--conditions with latents of its training data, whose conditions samples take"
        )
    if known != found:
        raise UserError(
            f"{models.denoiser}: a denoiser of {known or 'no'} conditions, but "
            f"{models.conditions} has {found}; give latents of the data that it was trained on"
        )
    if not known and settings.guidance_scale != 1:
        raise UserError(
            f"{models.denoiser}: an unconditional denoiser, but sampling.guidance_scale is "
            f"{settings.guidance_scale:g}; leave it at 1, or train with a condition in the dataset"
        )


def _require_channels(channels: int, models: Models) -> None:
    found = latent_channels(read_config(models.autoencoder))
    if found != channels:
        raise UserError(
            f"{models.denoiser}: a denoiser for latents of {channels} channels, but "
            f"{models.autoencoder} makes {found}; use the autoencoder that the denoiser was "
            "trained with"
        )
