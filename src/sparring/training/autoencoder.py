"""Training an autoencoder on packed layouts."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..artefacts.histories import Row
from ..artefacts.layouts import Layouts
from ..errors import UserError
from ..models.autoencoder import Codec, split_heads
from ..randomness import normals, permutation
from ..settings.autoencoder import AutoencoderSettings
from .loop import Weights
from .optimisation import add_up, lr_factor, restore_optimizer, set_learning_rate

_WARMUP_SHARE = 0.05
_RGB_RANGE = 2.0  # of [-1, 1]


def psnr(mean_squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB of RGB in [-1, 1]: 10 log10(range^2 / mse)."""
    return float(10 * np.log10(_RGB_RANGE**2 / max(mean_squared_error, 1e-12)))


class AutoencoderTraining:
    """L1 on RGB, cross-entropy on classes, a little KL. A `Stage` of the loop."""

    criterion = "val_loss"

    def __init__(self, codec: Codec, layouts: Layouts, settings: AutoencoderSettings) -> None:
        self.codec = codec
        self.group = codec.compute.group
        self.layouts = layouts
        self.settings = settings
        self.epochs = settings.epochs
        self.eval_interval = settings.eval_interval
        self._rows = layouts.rows("train")
        self._val_rows = layouts.rows("val")
        self.steps_per_epoch = -(-len(self._rows) // settings.batch_size)
        self.optimizer = torch.optim.AdamW(
            codec.model.parameters(), settings.learning_rate, betas=(0.9, 0.95), fused=True
        )

    def step(self, epoch: int, step: int) -> dict[str, Tensor]:
        """One update."""
        s = self.settings
        order = permutation(len(self._rows), s.seed, "autoencoder", epoch)
        rows = np.sort(self._rows[order[step * s.batch_size : (step + 1) * s.batch_size].numpy()])
        rows, part = self.group.share(rows)
        terms = {name: part * value for name, value in self._losses(rows, epoch).items()}
        weights = s.losses.model_dump()
        loss = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        values = add_up(self.group, self.codec.model, {"loss": loss, **terms})
        torch.nn.utils.clip_grad_norm_(self.codec.model.parameters(), s.max_grad_norm)
        total = self.epochs * self.steps_per_epoch
        factor = lr_factor(
            epoch * self.steps_per_epoch + step, total, int(_WARMUP_SHARE * total), "cosine"
        )
        set_learning_rate(self.optimizer, s.learning_rate * factor)
        self.optimizer.step()
        return values

    def validate(self) -> dict[str, float]:
        """Loss, PSNR in dB and, with a segmentation head, pixel accuracy, from posterior modes."""
        return measure_reconstruction(self.codec, self.layouts, self._val_rows, self.settings)

    def end_epoch(self, epoch: int, row: Row) -> None:
        """Nothing to do."""

    def overdone(self, row: Row, start: Row) -> str | None:
        """Never."""
        return None

    def learning_rate(self) -> float:
        """The rate of the last step."""
        return self.optimizer.param_groups[0]["lr"]

    def weights(self) -> Weights:
        """Copies on the CPU."""
        return {k: v.detach().cpu().clone() for k, v in self.codec.model.state_dict().items()}

    def extra(self) -> Weights:
        """Nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """Model and optimiser."""
        return {
            "model": self.codec.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.codec.model.load_state_dict(state["model"])
        restore_optimizer(self.optimizer, state["optimizer"])

    def _losses(self, rows: np.ndarray, epoch: int) -> dict[str, Tensor]:
        layouts = self.layouts.read(rows)
        with self.codec.compute.autocast():
            posterior = self.codec.model.encode(self.codec.inputs(layouts)).latent_dist
            mean, logvar = posterior.mean.float(), posterior.logvar.float()
            noise = normals(
                mean.shape[1:], rows.tolist(), self.settings.seed, "posterior", epoch,
                device=mean.device,
            )  # fmt: skip
            out = self.codec.model.decode(mean + (0.5 * logvar).exp() * noise).sample.float()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        return reconstruction_losses(self.codec, layouts, out) | {"kl": kl}


def reconstruction_losses(codec: Codec, layouts: np.ndarray, out: Tensor) -> dict[str, Tensor]:
    """`rgb` (L1) and, with a segmentation head, `segmentation` (cross-entropy), scalars."""
    decoded = split_heads(out)
    terms = {"rgb": F.l1_loss(decoded.rgb, codec.rgb(layouts))}
    if decoded.logits is not None:
        if layouts.ndim != 3:
            raise UserError(
                f"autoencoder: it has a segmentation head of {decoded.logits.shape[1]} classes, "
                "but the dataset names no classes; add a classes.json, or start from an "
                "autoencoder without that head"
            )
        ids = torch.from_numpy(layouts).to(out.device, torch.int64)
        if int(layouts.max()) >= decoded.logits.shape[1]:
            raise UserError(
                f"autoencoder: its segmentation head has {decoded.logits.shape[1]} classes, but "
                f"the layouts hold class {int(layouts.max())}; leave start_from out, or start from "
                "an autoencoder for this dataset's classes"
            )
        terms["segmentation"] = F.cross_entropy(decoded.logits, ids)
    return terms


@torch.no_grad()
def measure_reconstruction(
    codec: Codec, layouts: Layouts, rows: np.ndarray, settings: AutoencoderSettings
) -> dict[str, float]:
    """Figures of `encode` then `decode` on the given rows.

    `loss` (weighted as in training, without KL), `psnr` in dB over all pixels and channels,
    `pixel_accuracy` and `foreground_accuracy` (pixels that are not class 0).
    """
    codec.model.eval()
    squared, loss, hits, front, front_hits = 0.0, 0.0, 0, 0, 0
    weights = settings.losses.model_dump()
    for start in range(0, len(rows), 64):
        batch = layouts.read(rows[start : start + 64])
        decoded = codec.decode(codec.encode(batch))
        parts = [decoded.rgb] if decoded.logits is None else [decoded.rgb, decoded.logits]
        terms = reconstruction_losses(codec, batch, torch.cat(parts, 1))
        loss += len(batch) * sum(weights[name] * float(value) for name, value in terms.items())
        squared += len(batch) * float(F.mse_loss(decoded.rgb, codec.rgb(batch)))
        if decoded.class_ids is not None:
            right = decoded.class_ids.cpu().numpy() == batch
            hits, front = hits + int(right.sum()), front + int((batch > 0).sum())
            front_hits += int(right[batch > 0].sum())
    codec.model.train()
    figures = {"loss": loss / len(rows), "psnr": psnr(squared / len(rows))}
    if codec.num_classes:
        figures["pixel_accuracy"] = hits / (len(rows) * layouts.side**2)
        figures["foreground_accuracy"] = front_hits / max(1, front)
    return figures


@torch.no_grad()
def latent_statistics(codec: Codec, layouts: Layouts) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of the train split's posterior modes, raw."""
    codec.model.eval()
    total: Any = 0.0
    squares: Any = 0.0
    count = 0
    rows = layouts.rows("train")
    for start in range(0, len(rows), 64):
        batch = layouts.read(rows[start : start + 64])
        values = codec.raw_mode(batch).double().transpose(0, 1).flatten(1)
        total, squares = total + values.sum(1), squares + values.square().sum(1)
        count += values.shape[1]
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(1e-12).sqrt()
    return mean.tolist(), std.tolist()
