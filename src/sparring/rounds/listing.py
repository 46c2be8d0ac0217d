"""Every job of the configured experiments, in the order in which they can run."""

from collections.abc import Iterator

from ..settings.parts import NULL
from ..settings.volumes import AnyVolumes
from .encodings import is_layouts_autoencoder, volume_encoding
from .jobs import Wildcards, job_files
from .loading import Rounds
from .vqgan import volumes_used

Listed = tuple[str, Wildcards]


def all_jobs(rounds: Rounds) -> Iterator[Listed]:
    """(rule, wildcards) of every job that `rule all` can need."""
    for dataset in _sets_of_layouts(rounds):
        yield "pack_layouts", {"dataset": dataset}
    yield from _volumes(rounds)
    yield from _encoded_volumes(rounds)
    of_layouts = [n for n in rounds.experiments if is_layouts_autoencoder(rounds, n)]
    pairs = sorted({rounds.data_of(name) for name in of_layouts})
    for autoencoder in sorted({autoencoder for _, autoencoder in pairs}):
        yield "train_autoencoder", {"autoencoder": autoencoder}
    for dataset, autoencoder in pairs:
        yield "encode_layouts", {"dataset": dataset, "autoencoder": autoencoder}
    for name, experiment in rounds.experiments.items():
        if experiment.kind == "pretrain":
            yield "pretrain_diffusion", {"experiment": name}
        elif experiment.kind == "finetune":
            yield "finetune_semantic", {"experiment": name}
    for name in rounds.adversarial_names:
        yield from _rounds_of(rounds, name)
    for name in rounds.judged_names:
        yield from _judging_of(rounds, name)


def _sets_of_layouts(rounds: Rounds) -> list[str]:
    """Datasets of layouts that some experiment uses."""
    known = rounds.config.datasets
    return [name for name in rounds.datasets if not isinstance(known[name], AnyVolumes)]


def _encoded_volumes(rounds: Rounds) -> Iterator[Listed]:
    """Encodings that denoisers are trained on."""
    found = (volume_encoding(rounds, name) for name in rounds.experiments)
    for encoding in dict.fromkeys(e for e in found if e is not None):
        if encoding.experiment is None:
            yield "encode_volumes", {"dataset": encoding.dataset, "autoencoder": encoding.key}
        else:
            place = {"experiment": encoding.experiment, "phase": str(encoding.phase)}
            yield "encode_volumes", place


def _volumes(rounds: Rounds) -> Iterator[Listed]:
    for dataset in volumes_used(rounds):
        yield "pack_volumes", {"dataset": dataset}
    for name, experiment in rounds.vqgans.items():
        yield "train_vqgan_reconstruction", {"experiment": name}
        for phase in experiment.phases[1:]:
            yield "train_vqgan_adversarial", {"experiment": name, "phase": phase}
        for phase in experiment.phases:
            for rule in ("reconstruct_volumes", "evaluate_vqgan"):
                yield rule, {"experiment": name, "phase": phase}
        yield "summarise_volumes", {"experiment": name}


def logs_of_iteration(rounds: Rounds, name: str, arm: str, iteration: int) -> list[str]:
    """The logs of an arm's jobs in one iteration, without those that judge it."""
    place = {"experiment": name, "iteration": str(iteration)}
    return [job_files(rounds, *job).log for job in _iteration_of(rounds, place, arm)]


def _rounds_of(rounds: Rounds, name: str) -> Iterator[Listed]:
    for iteration in range(rounds.adversarial(name).iterations):
        for arm in rounds.arms(name):
            yield from _iteration_of(rounds, {"experiment": name, "iteration": str(iteration)}, arm)


def _iteration_of(rounds: Rounds, place: Wildcards, arm: str) -> Iterator[Listed]:
    needs = rounds.needs(place["experiment"])
    if arm == "adversarial":
        yield from _opponent_of(rounds, place)
    if arm == "control_time":
        yield "measure_time", place
    if arm == "adversarial" and needs.guided_sampling:
        yield "guide_denoiser", place
    else:
        yield "finetune_diffusion", place | {"arm": arm}


def _opponent_of(rounds: Rounds, place: Wildcards) -> Iterator[Listed]:
    name = place["experiment"]
    needs, shards = rounds.needs(name), rounds.adversarial(name).sampling.shards
    if needs.discriminator:
        yield "encode_real", place
    if shards > 1:
        for shard in range(shards):
            yield "sample_fake_shard", place | {"shard": str(shard), "shards": str(shards)}
    yield "gather_fake" if shards > 1 else "sample_fake", place
    if needs.discriminator:
        yield "train_discriminator", place


def _judging_of(rounds: Rounds, name: str) -> Iterator[Listed]:
    of_layouts = is_layouts_autoencoder(rounds, name)
    measure = "measure_layouts" if of_layouts else "measure_volumes"
    rules = ["sample_evaluation", "evaluate", measure]
    for rule in rules[1:]:
        yield rule, {"experiment": name, "model": NULL}
    for experiment, model in rounds.compared(name).values():
        for rule in rules:
            yield rule, {"experiment": experiment, "model": model}
    yield "compare_models", {"experiment": name}
    yield "summarise", {"experiment": name}
    if name in rounds.adversarial_names:
        yield "select_best", {"experiment": name}
    yield "compare_samples", {"experiment": name}
