"""Which old field or flag becomes which key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import values

FILE_NAME = "the file's name"
"""Where `experiment.name` goes."""


@dataclass(frozen=True)
class Field:
    """An old field and the key that it becomes."""

    new: str
    """Dotted; `datasets.NAME.` and `autoencoders.NAME.` are entries of config.yaml."""
    old: tuple[str, ...]
    """Its spellings. Where a file has several, the first counts."""
    value: Callable[[Any], Any] = values.same
    """Turns the value; raises NotCarried with the reason where no key takes it."""
    part: str | None = None
    """The key is made of several fields, and this one is that part of it."""
    remark: str = ""
    """For the documentation."""


FIELDS: tuple[Field, ...] = (
    Field(FILE_NAME, ("experiment.name", "experiment.experiment_name"), values.identifier),
    Field("seed", ("--seed", "experiment.seed", "training.seed"), values.whole),
    Field("device", ("--device", "experiment.device", "training.device"), values.device),
    Field("gpus", ("experiment.gpus", "training.gpus", "training.num_gpus", "training.devices"),
          values.gpus),
    Field("start_from",
          ("diffusion.stage2_checkpoint", "diffusion.stage1_checkpoint", "diffusion.checkpoint",
           "diffusion.initial_checkpoint", "diffusion.pretrained", "training.init_from"),
          values.model_directory,
          remark="a file of weights is imported first; `--start-from` names an experiment instead"),
    Field("iterations",
          ("--num_iterations", "adversarial.num_iterations", "adversarial.iterations",
           "training.num_iterations", "experiment.num_iterations"), values.whole),
    Field("num_samples",
          ("--num_samples", "sampling.num_samples", "adversarial.num_samples",
           "discriminator.num_samples"), values.whole, remark="fakes, and as many reals"),
    Field("sampling.num_steps",
          ("--generation_steps", "adversarial.generation_steps",
           "sampling.num_steps", "sampling.generation_steps", "sampling.num_inference_steps"),
          values.whole),
    Field("sampling.batch_size",
          ("--generation_batch_size", "adversarial.generation_batch_size",
           "sampling.batch_size", "sampling.generation_batch_size"), values.whole),
    Field("sampling.sampler",
          ("sampling.method", "sampling.sampler", "sampling.type", "diffusion.sampler"),
          values.sampler),
    Field("sampling.eta", ("sampling.eta",)),
    Field("diffusion.epochs",
          ("--diffusion_epochs", "training.epochs", "training.num_epochs", "training.max_epochs",
           "diffusion.epochs", "experiment.epochs"), values.whole,
          remark="of each iteration, where there are iterations"),
    Field("diffusion.batch_size",
          ("training.batch_size", "training.train_batch_size", "dataset.batch_size",
           "dataset.train_batch_size"), values.whole),
    Field("diffusion.learning_rate",
          ("training.learning_rate", "training.lr", "training.optimizer.lr",
           "training.optimizer.learning_rate", "diffusion.learning_rate", "diffusion.lr")),
    Field("diffusion.weight_decay",
          ("training.weight_decay", "training.optimizer.weight_decay")),
    Field("diffusion.lr_schedule",
          ("training.lr_schedule", "training.scheduler",
           "training.scheduler.type", "training.scheduler.name"), values.lr_schedule,
          remark="over all the steps of a stage, not over epochs or batches"),
    Field("diffusion.lr_warmup_steps",
          ("training.warmup_steps", "training.lr_warmup_steps",
           "training.scheduler.warmup_steps", "training.scheduler.num_warmup_steps"), values.whole),
    Field("diffusion.max_grad_norm",
          ("training.max_grad_norm", "training.gradient_clip", "training.gradient_clip_val",
           "training.grad_clip", "training.gradient_clipping", "training.clip_grad_norm"),
          values.gradient_norm),
    Field("diffusion.ema_decay", ("training.use_ema", "training.ema", "training.ema.enabled"),
          values.averaging, remark="false becomes 0"),
    Field("diffusion.ema_decay", ("training.ema_decay", "training.ema.decay", "training.ema_rate")),
    Field("diffusion.eval_interval",
          ("training.eval_interval", "training.val_interval", "training.validation_interval",
           "training.eval_every", "training.check_val_every_n_epoch"), values.whole),
    Field("diffusion.sample_interval",
          ("training.sample_interval", "training.sample_every"), values.whole),
    Field("diffusion.sample_grid.num_samples",
          ("training.num_samples", "training.sample_batch_size", "training.num_sample_images"),
          values.whole, remark="of the pictures during training"),
    Field("diffusion.sample_grid.num_steps",
          ("training.sample_steps", "training.num_sampling_steps"), values.whole,
          remark="by dpmsolver++, for which 50 are enough"),
    Field("denoiser.preset", ("diffusion.unet.preset", "diffusion.unet"), values.preset_name),
    Field("denoiser.preset",
          ("diffusion.unet.base_channels", "diffusion.unet.base_width", "diffusion.unet.base_ch",
           "diffusion.unet.width", "diffusion.unet.model_channels"), values.whole, part="width",
          remark="64, depth 4 and attention make unet64_d4_attn"),
    Field("denoiser.preset",
          ("diffusion.unet.depth", "diffusion.unet.num_levels", "diffusion.unet.num_downs"),
          values.whole, part="depth", remark="with the width"),
    Field("denoiser.preset", ("diffusion.unet.use_attention", "diffusion.unet.attention"),
          part="attention", remark="with the width"),
    Field("noise_schedule.schedule",
          ("diffusion.scheduler.type", "diffusion.scheduler.beta_schedule",
           "diffusion.scheduler.schedule", "diffusion.scheduler.name", "diffusion.scheduler",
           "diffusion.beta_schedule"), values.noise_schedule),
    Field("noise_schedule.num_timesteps",
          ("diffusion.scheduler.num_timesteps", "diffusion.scheduler.num_train_timesteps",
           "diffusion.scheduler.num_steps", "diffusion.scheduler.timesteps",
           "diffusion.num_timesteps", "diffusion.timesteps", "diffusion.num_steps"), values.whole),
    Field("noise_schedule.beta_start", ("diffusion.scheduler.beta_start",)),
    Field("noise_schedule.beta_end", ("diffusion.scheduler.beta_end",)),
    Field("noise_schedule.prediction",
          ("diffusion.scheduler.prediction_type", "diffusion.scheduler.prediction",
           "diffusion.prediction_type", "diffusion.prediction"), values.prediction),
    Field("noise_schedule.zero_terminal_snr",
          ("diffusion.scheduler.rescale_betas_zero_snr", "diffusion.scheduler.zero_terminal_snr")),
    Field("discriminator.epochs",
          ("--discriminator_epochs", "discriminator.epochs", "discriminator.num_epochs",
           "training.discriminator_epochs"), values.whole),
    Field("discriminator.batch_size", ("discriminator.batch_size",), values.whole),
    Field("discriminator.learning_rate",
          ("discriminator.learning_rate", "discriminator.lr", "discriminator.optimizer.lr")),
    Field("discriminator.base_channels",
          ("discriminator.base_channels", "discriminator.ndf"), values.whole),
    Field("discriminator.num_layers",
          ("discriminator.num_layers", "discriminator.n_layers"), values.whole),
    Field("discriminator.plateau_patience",
          ("discriminator.patience", "discriminator.scheduler.patience"), values.whole),
    Field("discriminator.start_from",
          ("discriminator.checkpoint", "discriminator.pretrained"), values.discriminator_start,
          remark="only a model directory"),
    Field("adversarial.weight",
          ("discriminator.weight", "discriminator.loss_weight", "adversarial.weight",
           "training.discriminator_weight"), remark="and the weight of DiscriminatorLoss"),
    Field("semantic.segmentation_weight",
          ("semantic.segmentation_weight", "semantic.segmentation", "semantic.seg_weight",
           "semantic.weights.segmentation", "training.semantic.segmentation",
           "training.segmentation_weight"), remark="and in SemanticLoss, times its own weight"),
    Field("semantic.perceptual_weight",
          ("semantic.perceptual_weight", "semantic.perceptual", "semantic.weights.perceptual",
           "training.semantic.perceptual", "training.perceptual_weight"),
          remark="and in SemanticLoss, times its own weight"),
    Field("datasets.NAME.manifest",
          ("dataset.manifest", "dataset.manifest_path", "dataset.csv", "dataset.manifest_csv"),
          values.text),
    Field("datasets.NAME.layout_column",
          ("dataset.outputs.rgb", "dataset.outputs.layout", "dataset.outputs.image",
           "dataset.layout_column", "dataset.image_column"), values.text),
    Field("datasets.NAME.resize",
          ("dataset.resize", "dataset.image_size", "dataset.img_size", "dataset.resolution"),
          values.side),
    Field("datasets.NAME.augmented",
          ("dataset.filters.is_augmented", "dataset.use_augmented", "dataset.augment",
           "dataset.augmented"), values.augmented, remark="false becomes `drop`"),
    Field("datasets.NAME.split",
          ("dataset.split", "dataset.split_ratio", "training.split_ratio"),
          part="all", remark="without a test split it gets half of what train leaves"),
    Field("datasets.NAME.split",
          ("dataset.split.train", "dataset.train_split",
           "training.train_split", "dataset.train_ratio"), part="train", remark="its train"),
    Field("datasets.NAME.split",
          ("dataset.split.val", "dataset.val_split", "training.val_split",
           "dataset.val_ratio"), part="val", remark="its val"),
    Field("datasets.NAME.split",
          ("dataset.split.test", "dataset.test_split",
           "training.test_split", "dataset.test_ratio"), part="test", remark="its test"),
    Field("datasets.NAME.split_seed", ("dataset.split_seed", "dataset.split.seed", "dataset.seed"),
          values.whole),
    Field("autoencoders.NAME.start_from",
          ("autoencoder.checkpoint", "autoencoder.checkpoint_path", "autoencoder.pretrained"),
          values.model_directory, remark="with `epochs: 0`; a diffusers AutoencoderKL directory"),
    Field("autoencoders.NAME.latent_channels",
          ("autoencoder.latent_channels", "autoencoder.latent_dim", "autoencoder.z_channels"),
          values.whole),
    Field("autoencoders.NAME.block_out_channels",
          ("autoencoder.block_out_channels",)),
)  # fmt: skip


_GROUPS = ("training", "experiment", "dataset")
_BY_NAME = {
    name: (field, (row, column))
    for row, field in enumerate(FIELDS)
    for column, name in enumerate(field.old)
}


def find_field(name: str) -> tuple[Field, tuple[int, int]] | None:
    """The field of a usual name, and its place: of two that give one key, the lesser counts.

    A name without a group is looked for in the usual groups.
    """
    names = [name] if "." in name else [name, *(f"{group}.{name}" for group in _GROUPS)]
    return next((_BY_NAME[each] for each in names if each in _BY_NAME), None)


def known_names() -> list[str]:
    """Every spelling."""
    return list(_BY_NAME)
