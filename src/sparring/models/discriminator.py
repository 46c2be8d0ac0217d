"""The discriminator on clean latents."""

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


class LatentDiscriminator(ModelMixin, ConfigMixin):
    """Latents `[B,C,H,W]`, or with `spatial_dims` 3 `[B,C,D,H,W]`, to logits `[B]`: positive means
    real. No sigmoid inside.

    Strided convolutions of side 4 as in DCGAN (Radford et al. 2016), doubling the width per level,
    then a mean over what is left. Group instead of batch normalisation: statistics over a batch of
    only reals or only fakes would give the class away.

    With conditions, the inner product of the features with an embedding of the condition is added
    to the logit (Miyato & Koyama 2018, projection discriminator).
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 16,
        base_channels: int = 64,
        num_layers: int = 4,
        num_conditions: int = 0,
        spatial_dims: int = 2,
    ) -> None:
        super().__init__()
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[spatial_dims]
        widths = [latent_channels, *(base_channels * 2**level for level in range(num_layers))]
        blocks: list[nn.Module] = []
        for level in range(num_layers):
            blocks.append(conv(widths[level], widths[level + 1], 4, stride=2, padding=1))
            if level > 0:
                blocks.append(nn.GroupNorm(_groups(widths[level + 1]), widths[level + 1]))
            blocks.append(nn.LeakyReLU(0.2))
        self.features = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], 1)
        self.condition = nn.Embedding(num_conditions, widths[-1]) if num_conditions else None
        if self.condition is not None:  # it begins as the unconditional one would
            nn.init.zeros_(self.condition.weight)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """[B,C,...], [B] -> [B].

        `labels` are the numbers of conditions; without conditions they are not read. Raises
        ValueError where they are missing.
        """
        pooled = self.features(latents).mean(dim=tuple(range(2, latents.ndim)))
        logits = self.head(pooled).squeeze(-1)
        if self.condition is not None:
            if labels is None:
                raise ValueError("a discriminator with conditions needs labels")
            logits = logits + (self.condition(labels) * pooled).sum(-1)
        return logits.float()


def _groups(width: int) -> int:
    return next(groups for groups in (8, 4, 2, 1) if width % groups == 0)
