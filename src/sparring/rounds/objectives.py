"""Refusals of keys that an objective does not read, and of starts that it cannot train."""

from ..errors import UserError
from ..objectives.table import FEWEST_FAKES
from ..settings.experiment import AdversarialExperiment
from .loading import Rounds
from .references import Reference


def check_objective(rounds: Rounds, name: str, experiment: AdversarialExperiment) -> None:
    """Refuse what would have no effect, or would make the objective mean something else."""
    needs, settings = rounds.needs(name), experiment.discriminator
    where, objective = rounds.file(name), experiment.adversarial.objective
    given = settings.changed() or any(o.discriminator.given() for o in experiment.overrides)
    if not needs.discriminator and given:
        raise UserError(
            f"{where}: discriminator is given, but objective {objective} trains none; leave "
            "discriminator out, or choose another adversarial.objective"
        )
    _check_backbone(where, experiment)
    if experiment.fakes_from is not None and (needs.fakes_in_training or needs.guided_sampling):
        raise UserError(
            f"{where}: fakes_from is {experiment.fakes_from!r}, but objective {objective} compares "
            "with samples of the very denoiser that enters; leave fakes_from out"
        )
    if needs.fakes_in_training:
        _check_fakes(where, experiment)
    if not needs.guided_sampling:
        return
    for key, why in (
        ("online", "no denoiser is trained"),
        ("relativistic", "its logit is no ratio of densities"),
    ):
        if getattr(settings, key):
            raise UserError(
                f"{where}: discriminator.{key} is true, but with objective guidance {why}; "
                "leave it out"
            )
    if settings.replay:
        raise UserError(
            f"{where}: discriminator.replay is {settings.replay}, but with objective guidance the "
            "logit must be the ratio of real density to that of the model that is guided, and "
            "fakes of earlier iterations come from other models; leave replay out"
        )
    if experiment.semantic is not None:
        raise UserError(
            f"{where}: semantic is given, but with objective guidance no denoiser is trained in "
            "the adversarial arm; leave it out, or choose another adversarial.objective"
        )


def check_guided_start(rounds: Rounds, name: str, reference: Reference) -> None:
    """A denoiser that discriminators guide can be guided further, not trained."""
    start = reference.experiment
    if start not in rounds.adversarial_names or not rounds.needs(start).guided_sampling:
        return
    if name in rounds.adversarial_names and rounds.needs(name).guided_sampling:
        if rounds.adversarial(name).control:
            raise UserError(
                f"{rounds.file(name)}: start_from is {reference.text!r}, whose denoiser "
                "discriminators guide, so that a control cannot be trained from it; set control: "
                f"false, or raise the iterations of {start}"
            )
        return
    raise UserError(
        f"{rounds.file(name)}: start_from is {reference.text!r}, whose denoiser discriminators "
        f"guide (objective guidance): it is sampled, not trained; start where {start} started"
    )


def _check_fakes(where: str, experiment: AdversarialExperiment) -> None:
    """Refuse fakes that are too few to be trained on and to validate."""
    for iteration in range(experiment.iterations):
        count = experiment.num_samples_at(iteration)
        if count < FEWEST_FAKES:
            key = "num_samples" if count == experiment.num_samples else "overrides: num_samples"
            raise UserError(
                f"{where}: {key} is {count} in iteration {iteration}, but objective "
                f"{experiment.adversarial.objective} trains on the fakes and holds some out to "
                f"validate; set at least {FEWEST_FAKES}, better some thousands"
            )


def _check_backbone(where: str, experiment: AdversarialExperiment) -> None:
    if experiment.discriminator.backbone == "denoiser" and experiment.discriminator.spectral_norm:
        raise UserError(
            f"{where}: discriminator.spectral_norm is true, but a backbone that begins with a "
            "denoiser's weights has none; leave one of the two out"
        )
