"""Old fields and flags that become nothing, why, and what to do instead."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class LeftOut:
    """Old fields that become nothing. `*` stands for anything, dots included."""

    old: tuple[str, ...]
    reason: str


_TRACKING = (
    "every epoch is a row of a history (CSV) and a plot, grids are in samples/; for TensorBoard "
    "set tracker: tensorboard in config.yaml"
)

LEFT_OUT: tuple[LeftOut, ...] = (
    LeftOut(("--start_iteration", "*start_iteration"),
            "run again: finished iterations are never repeated; to go on from iteration 1 in a new "
            "experiment, start_from: name@1"),
    LeftOut(("--resume", "*resume*"), "run the same command again: every job goes on where it was"),
    LeftOut(("*save_path", "*output_dir", "*save_dir", "*log_dir", "*checkpoint_dir", "*out_dir"),
            "results go to results/NAME; `results:` in config.yaml moves all of them"),
    LeftOut(("*save_interval", "*save_every", "*checkpoint_interval", "*save_top_k", "*keep_last*"),
            "states are saved every checkpoint_minutes (config.yaml); the best and the last model "
            "are kept"),
    LeftOut(("*num_workers", "*pin_memory", "*persistent_workers", "*prefetch*", "*shuffle",
             "*drop_last"),
            "there are no workers: latents lie in memory and every epoch shuffles them"),
    LeftOut(("*wandb*", "*tensorboard*", "*mlflow*", "*comet*", "*logger*", "*logging*",
             "*log_interval", "*log_every*", "*verbose"), _TRACKING),
    LeftOut(("*use_amp", "*.amp", "amp", "*mixed_precision", "*fp16", "*bf16", "*precision"),
            "`precision` in config.yaml: auto is bf16 where the hardware has units for it"),
    LeftOut(("*early_stopping*", "*patience", "*min_delta"),
            "all epochs are trained; the weights of the best validation are handed on"),
    LeftOut(("*accumulat*",),
            "diffusion.batch_size is the whole batch: multiply by the accumulation"),
    LeftOut(("*non_uniform*", "*timestep_sampling*"), "timesteps are drawn uniformly"),
    LeftOut(("*weighted_sampling", "*weighting_method", "*grouped_weights", "training.column",
             "*rare*", "training.max_weight", "training.min_weight", "*class_grouping*"),
            "every layout is drawn once per epoch"),
    LeftOut(("*cfg*", "*guidance*", "*condition*", "*.cond"),
            "a dataset's `condition` names a column, and what is trained on it is conditional; "
            "sampling.guidance_scale, diffusion.condition_dropout"),
    LeftOut(("*text_emb*", "*pov_emb*"), "conditions are classes here: texts are not read"),
    LeftOut(("*deterministic", "*benchmark", "*compile"),
            "randomness follows from `seed` alone; there is nothing to switch"),
    LeftOut(("*frozen", "*freeze*"),
            "the autoencoder is always frozen while denoisers and discriminators train"),
    LeftOut(("*real_latents*", "*fake_latents*"),
            "each iteration draws its reals and samples its fakes; import_latents.py and "
            "train_discriminator.py take latents of your own"),
    LeftOut(("training.warmup_epochs", "training.scheduler.warmup_epochs", "warmup_epochs"),
            "diffusion.lr_warmup_steps counts steps: epochs times steps per epoch"),
    LeftOut(("training.max_steps", "training.num_steps", "training.total_steps"),
            "set diffusion.epochs: one epoch is training layouts / batch_size steps"),
    LeftOut(("training.optimizer*", "discriminator.optimizer*"),
            "AdamW trains denoisers, Adam discriminators; only rate and decay are keys"),
    LeftOut(("training.scheduler*", "discriminator.scheduler*"),
            "diffusion.lr_schedule is constant or cosine over all the steps of a stage; a "
            "discriminator's rate is halved on plateaus"),
    LeftOut(("diffusion.unet*in_channels", "diffusion.unet*out_channels", "*latent_shape*",
             "*latent_size", "discriminator*latent_channels"),
            "follows from the autoencoder and the size of the layouts"),
    LeftOut(("diffusion.unet*",), "the rest of the network is fixed by denoiser.preset"),
    LeftOut(("diffusion.config*",),
            "denoiser.preset names the network, or start_from a model directory"),
    LeftOut(("diffusion.scheduler*",), "noise_schedule has no such key"),
    LeftOut(("autoencoder*",),
            "the entry under autoencoders has keys of its own: config/README.md"),
    LeftOut(("discriminator",),
            "set discriminator.base_channels and discriminator.num_layers as that file has them"),
    LeftOut(("dataset.filters*",), "write a manifest with only these rows"),
    LeftOut(("dataset.outputs.latent*",),
            "layouts are encoded here; docs/checkpoints.md says how to take latents that the "
            "manifest names"),
    LeftOut(("dataset.outputs*",),
            "which outputs there are follows from the data: RGB, and class ids with a classes.json "
            "beside the manifest; layout_column names the images"),
    LeftOut(("dataset.classes*", "dataset.num_classes", "dataset.taxonomy*", "dataset.class_*"),
            "put a classes.json beside the manifest: config/README.md says what is in it"),
    LeftOut(("dataset.return_*", "dataset.transform*", "dataset.normali*"),
            "images are read as they are, and latents standardised per channel"),
    LeftOut(("experiment.description", "experiment.notes", "experiment.tags", "experiment.version",
             "experiment.project", "experiment.author"), "keep it as a comment in the file"),
    LeftOut(("semantic*vgg*", "semantic*features*", "semantic*layers*"),
            "semantic.perceptual_features: vgg16 with vgg16_weights, a file; by default the "
            "autoencoder's own features"),
    LeftOut(("*.type", "*._target_", "*.class_name", "type"),
            "a class of the old program; here the kind of experiment says what is built"),
)  # fmt: skip


def reason_to_leave_out(name: str) -> str | None:
    """Why a usual name becomes nothing, if it is known to."""
    return next(
        (row.reason for row in LEFT_OUT if any(fnmatchcase(name, old) for old in row.old)), None
    )
