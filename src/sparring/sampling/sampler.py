"""Sampling with diffusers' schedulers, noise keyed by sample number."""

from collections.abc import Callable, Iterator
from typing import Any, cast, get_args

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..compute import Compute, Pass
from ..errors import UserError
from ..models.denoiser import Denoiser, predict, predict_guided, sampled_shape
from ..randomness import Key, generator, normals
from ..settings.parts import SampleGrid, SamplingSettings
from ..settings.parts import Sampler as SamplerName


def build_sampler(name: str, schedule: DDIMScheduler) -> Any:
    """The diffusers scheduler of that name on the denoiser's own noise schedule.

    DPM-Solver++ is told `solver_type: heun` and otherwise keeps its own options: of those measured
    in bench/results/solver.md it gets the spread of a known Gaussian right in the fewest steps.
    """
    config = dict(schedule.config, timestep_spacing="trailing", clip_sample=False)
    if name == "ddim":
        return DDIMScheduler.from_config(config)
    if name == "ddpm":
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

        return DDPMScheduler.from_config(config)
    if name == "unipc":
        from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

        return UniPCMultistepScheduler.from_config(config)
    if name != "dpmsolver++":
        raise UserError(f"sampler is {name!r}, expected one of {', '.join(get_args(SamplerName))}")
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler.from_config(
        config, algorithm_type="dpmsolver++", solver_type="heun"
    )


class Sampler:
    """Samples of one denoiser.

    Sample number n starts from noise keyed (seed, *key, n) and, where the sampler is stochastic,
    goes on with that sample's own generator: batch size and order do not change it.
    """

    def __init__(
        self,
        model: Denoiser,
        schedule: DDIMScheduler,
        settings: SamplingSettings | SampleGrid,
        compute: Compute,
    ) -> None:
        timesteps = schedule.config.num_train_timesteps
        if settings.num_steps > timesteps:
            raise UserError(
                f"num_steps is {settings.num_steps}, but the denoiser's noise schedule has only "
                f"{timesteps} timesteps; set at most {timesteps}"
            )
        self.model = model
        self._pass = Pass(self._predict, model, compute)
        self.settings = settings
        self.compute = compute
        self._make = cast(Callable[[], Any], lambda: build_sampler(settings.sampler, schedule))

    @torch.no_grad()
    def sample(self, numbers: range, seed: int, *key: Key, labels: Tensor | None = None) -> Tensor:
        """Latents `[B,C,H,W]` or `[B,C,D,H,W]` float32 for these sample numbers.

        `labels` are the numbers of their conditions, `[B]`, which class-conditional denoisers need.
        """
        scheduler = self._make()
        scheduler.set_timesteps(self.settings.num_steps)  # on the CPU: no step waits for them
        timesteps = scheduler.timesteps.to(self.compute.device)
        noise = normals(sampled_shape(self.model), numbers, seed, *key, device=self.compute.device)
        latents = noise * scheduler.init_noise_sigma
        options = self._step_options([generator(seed, *key, "steps", n) for n in numbers])
        given = () if labels is None else (labels,)
        for t, on_device in zip(scheduler.timesteps, timesteps, strict=True):
            model_input = scheduler.scale_model_input(latents, t)
            output = self._pass(model_input, on_device.expand(len(latents)), *given)
            latents = scheduler.step(output, t, latents, **options).prev_sample
        return latents

    def batches(
        self, count: int, batch_size: int, seed: int, *key: Key, labels: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Samples 0 to count - 1 in batches; `labels` are those of all."""
        for start in range(0, count, batch_size):
            numbers = range(start, min(start + batch_size, count))
            chosen = None if labels is None else labels[numbers.start : numbers.stop]
            yield self.sample(numbers, seed, *key, labels=chosen)

    def _predict(self, x_t: Tensor, timesteps: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            return predict(self.model, x_t, timesteps)
        return predict_guided(self.model, x_t, timesteps, labels, self.settings.guidance_scale)

    def _step_options(self, generators: list[torch.Generator]) -> dict[str, Any]:
        if self.settings.sampler == "ddim":
            eta = getattr(self.settings, "eta", 0.0)
            return {"eta": eta, "generator": generators} if eta else {}
        return {"generator": generators} if self.settings.sampler == "ddpm" else {}
