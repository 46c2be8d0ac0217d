"""The semantic loss terms of a batch: predictions decoded in pieces, against their layouts."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..artefacts.layouts import Layouts
from ..diffusion.process import Prediction
from ..errors import UserError
from ..losses.semantic import perceptual_loss, pixel_accuracy, segmentation_loss
from ..models.autoencoder import Codec, Decoded
from ..models.perceptual import PerceptualFeatures
from ..settings.semantic import SemanticLoss


@dataclass(frozen=True)
class LayoutRows:
    """The layouts that latents were encoded from: row i of `rows` belongs to latent i."""

    layouts: Layouts
    rows: np.ndarray

    def read(self, latents: Tensor) -> np.ndarray:
        """The layouts of these latents, uint8."""
        return self.layouts.read(self.rows[latents.cpu().numpy()])


class Semantics:
    """Segmentation and perceptual loss of decoded one-step predictions.

    The autoencoder is frozen, yet gradients pass through its decoder to the denoiser.
    """

    def __init__(
        self, settings: SemanticLoss, codec: Codec, features: PerceptualFeatures | None
    ) -> None:
        """`features` is None where the perceptual loss is left out."""
        if settings.segmentation_weight and not codec.num_classes:
            raise UserError(
                "semantic.segmentation_weight: the autoencoder has no segmentation head; set it "
                "to 0, or train an autoencoder with segmentation_head on a dataset with classes"
            )
        codec.model.eval().requires_grad_(False)
        self.settings = settings
        self._codec = codec
        self._features = features

    def terms(self, prediction: Prediction, layouts: np.ndarray) -> tuple[dict[str, Tensor], int]:
        """Means over the samples that count, and how many do; zeros where none does.

        `segmentation_loss` and `segmentation_accuracy`, where there is a segmentation head that is
        asked for, and `perceptual_loss`.
        """
        names, size = self._names(), self.settings.decode_batch_size
        counted = torch.nonzero(prediction.snr >= self.settings.min_snr).flatten()
        if not names or not len(counted):
            return dict.fromkeys(names, prediction.x0_pred.new_zeros(())), 0
        pieces = [
            self._piece(prediction.x0_pred[part], layouts[part.cpu().numpy()])
            for part in counted.split(size)
        ]
        values = torch.cat(pieces, dim=1)
        return dict(zip(names, values.mean(1).unbind(), strict=True)), len(counted)

    def _names(self) -> list[str]:
        names = []
        if self.settings.segmentation_weight:
            names += ["segmentation_loss", "segmentation_accuracy"]
        return [*names, "perceptual_loss"] if self._features else names

    def _piece(self, x0_pred: Tensor, layouts: np.ndarray) -> Tensor:
        """`[terms, B]`; activations are computed again in the backward pass instead of kept."""
        if not x0_pred.requires_grad:
            return self._decoded_terms(x0_pred, layouts)
        return checkpoint(self._decoded_terms, x0_pred, layouts, use_reentrant=False)

    def _decoded_terms(self, x0_pred: Tensor, layouts: np.ndarray) -> Tensor:
        decoded = self._codec.decode(x0_pred)
        rows: list[Tensor] = []
        if self.settings.segmentation_weight:
            rows += self._segmentation(decoded, layouts)
        if self._features is not None:
            found = self._features.of_prediction(decoded)
            rows.append(perceptual_loss(found, self._features.of_layouts(layouts)))
        return torch.stack(rows)

    def _segmentation(self, decoded: Decoded, layouts: np.ndarray) -> list[Tensor]:
        assert decoded.logits is not None
        ids = torch.from_numpy(layouts).to(decoded.logits.device, torch.int64)
        return [
            segmentation_loss(decoded.logits, ids),
            pixel_accuracy(decoded.logits.detach(), ids),
        ]
