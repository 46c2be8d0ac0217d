"""Refusals of denoisers that do not fit the latents, and of samplers with too many steps."""

from ..errors import UserError
from ..models.presets import PRESETS
from ..settings.experiment import (
    AdversarialExperiment,
    LatentExperiment,
    PretrainExperiment,
    StartedExperiment,
)
from ..settings.parts import BETTER_SOLVER
from .encodings import DENOISERS
from .facts import LatentShape
from .given_models import given_model
from .loading import Rounds
from .objectives import check_guided_start
from .shapes import data_facts, latent_shape


def check_preset(
    rounds: Rounds, name: str, experiment: PretrainExperiment, shape: LatentShape
) -> None:
    """Refuse a preset for latents of the other kind, or that cannot halve these evenly."""
    chosen, preset = experiment.denoiser.preset, PRESETS[experiment.denoiser.preset]
    if preset.dims != shape.dims:
        fitting = ", ".join(name for name, other in PRESETS.items() if other.dims == shape.dims)
        kinds = {2: "layouts", 3: "volumes"}
        raise UserError(
            f"{rounds.file(name)}: denoiser.preset {chosen} is for latents of "
            f"{kinds[preset.dims]}, but dataset {experiment.dataset} has {kinds[shape.dims]}; "
            f"choose one of {fitting}"
        )
    if any(side % preset.factor for side in shape.sides):
        larger = "layouts" if shape.dims == 2 else "patches"
        raise UserError(
            f"{rounds.file(name)}: denoiser.preset {chosen} needs latents "
            f"whose side is a multiple of {preset.factor}, found {shape.side}; choose a preset "
            f"with fewer levels or larger {larger}"
        )


def check_steps(rounds: Rounds, name: str, experiment: LatentExperiment) -> None:
    """Refuse samplers that take more steps than the noise schedule has timesteps."""
    limit = _num_timesteps(rounds, name)
    wanted = {"diffusion.sample_grid.num_steps": experiment.diffusion.sample_grid.num_steps}
    if experiment.diffusion.sample_interval == 0:
        wanted = {}
    if not isinstance(experiment, PretrainExperiment):
        wanted["sampling.num_steps"] = experiment.sampling.num_steps
        if BETTER_SOLVER in rounds.baselines(name):
            better = experiment.evaluation.better_solver
            wanted["evaluation.better_solver.num_steps"] = better.num_steps
    if isinstance(experiment, AdversarialExperiment) and experiment.diffusion.selection_samples:
        wanted["diffusion.selection_steps"] = experiment.diffusion.selection_steps
    for key, steps in wanted.items():
        if limit is not None and steps > limit:
            raise UserError(
                f"{rounds.file(name)}: {key} is {steps}, but the noise schedule has only {limit} "
                f"timesteps; set at most {limit}"
            )


def _num_timesteps(rounds: Rounds, name: str) -> int | None:
    """T of an experiment's noise schedule; None where only the running job can tell."""
    experiment = rounds.experiments[name]
    if isinstance(experiment, PretrainExperiment):
        return experiment.noise_schedule.num_timesteps
    start = rounds.reference(name, "start_from", experiment.start_from)
    if start.experiment is not None:
        return _num_timesteps(rounds, start.experiment)
    return None


def check_start(
    rounds: Rounds, name: str, experiment: StartedExperiment, shape: LatentShape
) -> None:
    """Refuse a denoiser to start from, or to take fakes from, that is not of these latents."""
    for key in ("start_from", "fakes_from"):
        text = getattr(experiment, key, None)
        if text is None:
            continue
        reference = rounds.reference(name, key, text)
        rounds.denoiser(name, key, text)
        if key == "start_from":
            check_guided_start(rounds, name, reference)
        if reference.directory is not None:
            where = f"{rounds.file(name)}: {key}"
            config = given_model(reference.directory, DENOISERS[shape.dims], where)
            found = config.get("in_channels"), config.get("sample_size")
            if found != (shape.channels, shape.side):
                raise UserError(
                    f"{rounds.file(name)}: {key} is a denoiser for latents of {found[0]} channels "
                    f"and side {found[1]}, but the autoencoder makes {shape.channels} channels and "
                    f"side {shape.side}; choose the autoencoder that it was trained with"
                )
        elif reference.experiment is not None:
            own, other = rounds.data_of(name)[1], rounds.data_of(reference.experiment)[1]
            if own != other:
                raise UserError(
                    f"{rounds.file(name)}: autoencoder is {own!r}, but {key} {text!r} was trained "
                    f"on latents of {other!r}; remove the key or start from another experiment"
                )
            trained = latent_shape(rounds, reference.experiment)
            if trained != shape:
                raise UserError(
                    f"{rounds.file(name)}: dataset {rounds.data_of(name)[0]} gives latents of side "
                    f"{shape.side}, but {key} {text!r} was trained on side {trained.side}; choose "
                    f"a dataset with {data_facts(rounds, name).unit} of the same size"
                )
