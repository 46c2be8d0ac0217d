"""Refusals of semantic losses that the data or the autoencoder cannot give."""

from ..data.images import classes_file
from ..errors import UserError
from ..settings.dataset import ManifestDataset
from .given_models import given_model
from .loading import Rounds


def check_semantic(rounds: Rounds, name: str) -> None:
    """Refuse a segmentation loss without classes or head, and missing weights of VGG16."""
    semantic = rounds.semantic(name)
    if semantic is None:
        return
    where = f"{rounds.file(name)}: semantic"
    dataset, autoencoder = rounds.data_of(name)
    if semantic.segmentation_weight:
        settings = rounds.config.datasets[dataset]
        if isinstance(settings, ManifestDataset) and classes_file(settings) is None:
            raise UserError(
                f"{where}.segmentation_weight is {semantic.segmentation_weight:g}, but dataset "
                f"{dataset} names no classes; put a classes.json beside {settings.manifest}, or "
                "set segmentation_weight: 0"
            )
        if not _has_head(rounds, autoencoder):
            raise UserError(
                f"{where}.segmentation_weight is {semantic.segmentation_weight:g}, but "
                f"autoencoder {autoencoder} has no segmentation head; set its "
                "segmentation_head: true, or segmentation_weight: 0"
            )
    for path in semantic.files():
        if not path.is_file():
            raise UserError(
                f"{where}.vgg16_weights: {path} is missing; fetch it on a machine with network: "
                "curl -O https://download.pytorch.org/models/vgg16-397923af.pth"
            )


def _has_head(rounds: Rounds, autoencoder: str) -> bool:
    settings = rounds.config.autoencoders[autoencoder]
    if settings.start_from is None:
        return settings.segmentation_head
    where = f"{rounds.source}: autoencoders.{autoencoder}.start_from"
    config = given_model(settings.start_from, "AutoencoderKL", where)
    return int(config.get("out_channels", 3)) > 3
