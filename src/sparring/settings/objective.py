"""The adversarial objective and its keys."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from .base import Settings

Objective = Literal["x0_bce", "noised", "guidance", "ddo"]
READ_BY: dict[Objective, frozenset[str]] = {
    "x0_bce": frozenset({"weight", "weighting", "timesteps", "adaptive"}),
    "noised": frozenset({"weight", "weighting", "timesteps", "adaptive", "renoise"}),
    "guidance": frozenset({"guidance_weight", "timesteps"}),
    "ddo": frozenset({"alpha", "beta", "noise_weight", "max_rise"}),
}
"""The keys beside `objective` that each objective reads; others are refused."""
GUIDED = (0.0, 0.8)
"""Where samples are guided by default, as fractions of T (bench/toy.py: with all of T they
diverge)."""

_TIMESTEPS: dict[Objective, tuple[float, float]] = {"noised": (0.0, 1.0), "guidance": GUIDED}
"""Defaults that are not the field's own."""


class AdversarialLoss(Settings):
    """The objective that a denoiser is fine-tuned with in the adversarial arm."""

    objective: Objective = "ddo"
    """`ddo`: the denoiser itself tells reals from fakes; `x0_bce`: softplus(-D(x0_pred)) on the
    denoiser's one-step prediction; `noised`: the same after noising prediction and reals alike;
    `guidance`: the denoiser stays, sampling follows the discriminator. See docs/objectives.md."""
    weight: float = Field(0.1, ge=0)
    """x0_bce, noised: weight beside the noise loss."""
    weighting: Literal["range", "snr"] = "range"
    """x0_bce, noised: `range` counts samples whose timestep lies in `timesteps`, all alike; `snr`
    weights every sample by snr / (1 + snr)."""
    timesteps: tuple[float, float] = (0.0, 0.2)
    """From and to, as fractions of T; (0, 1) is the literal recipe. x0_bce, noised: the predictions
    that count, by default of noised all. guidance: where samples are guided, by default (0, 0.8):
    at the very end of the noise a step turns a small error of the gradient into a large one."""
    adaptive: bool = False
    """x0_bce, noised: scale the weight by |grad of noise loss| / |grad of adversarial loss| at the
    network's last layer (Esser et al. 2021)."""
    renoise: Literal["above", "any"] = "above"
    """noised: noise is drawn from the prediction's own level up, or from all levels."""
    guidance_weight: float = Field(1.0, gt=0)
    """guidance: 1 follows the gradient of the logit as it is."""
    alpha: float = Field(1.0, ge=0)
    """ddo: weight of the part on fakes, which has no bound; above 1 it needs care."""
    beta: Literal["auto"] | Annotated[float, Field(gt=0)] = "auto"
    """ddo: how steeply the loss grows with the errors' difference, which is a sum over the latent's
    dimensions; `auto` is 100 divided by these."""
    noise_weight: float = Field(1.0, ge=0)
    """ddo: weight of the noise loss beside it, in place of `diffusion.noise_weight`."""
    max_rise: float = Field(0.1, gt=0)
    """ddo: training ends when the noise loss of validation is higher than the start's by more than
    this share; the epoch before is kept."""

    @field_validator("beta", mode="before")
    @classmethod
    def _beta_is_auto_or_a_number(cls, value: Any) -> Any:
        """One refusal for both of the forms that it may have."""
        number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        if value != "auto" and not number:
            raise ValueError(f"found {value!r}, expected auto or a number above 0")
        return value

    @model_validator(mode="after")
    def _timesteps_by_objective(self) -> "AdversarialLoss":
        if self.objective in _TIMESTEPS and "timesteps" not in self.model_fields_set:
            # the model is frozen for everybody else
            self.__dict__["timesteps"] = _TIMESTEPS[self.objective]
        return self

    @model_serializer(mode="wrap")
    def _with_timesteps(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Always with timesteps where left out they would be read as others than the field's."""
        values = plain(self)
        if self.objective in _TIMESTEPS:
            values["timesteps"] = self.timesteps
        return values

    @model_validator(mode="after")
    def _range_is_a_range(self) -> "AdversarialLoss":
        low, high = self.timesteps
        if not 0 <= low < high <= 1:
            raise ValueError(f"timesteps is [{low:g}, {high:g}], expected 0 <= from < to <= 1")
        return self

    @model_validator(mode="after")
    def _keys_are_the_objective_s(self) -> "AdversarialLoss":
        known = READ_BY[self.objective]
        for key in sorted(set(self.changed()) - known - {"objective"}):
            readers = [name for name, keys in READ_BY.items() if key in keys]
            raise ValueError(
                f"{key} says nothing with objective: {self.objective}, which reads "
                f"{', '.join(sorted(known))}; leave it out, or choose {' or '.join(readers)}"
            )
        return self
