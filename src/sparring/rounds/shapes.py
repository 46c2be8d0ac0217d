"""Shape and number of an experiment's latents, whether of layouts or of volumes."""

from .encodings import volume_encoding
from .facts import DatasetFacts, LatentShape, dataset_facts, layouts_latent_shape
from .loading import Rounds
from .volume_checks import patch_facts, volume_latent_shape


def latent_shape(rounds: Rounds, name: str) -> LatentShape:
    """The latents of an experiment; refuses data that its autoencoder cannot halve evenly."""
    encoding = volume_encoding(rounds, name)
    if encoding is not None:
        return volume_latent_shape(rounds, name, encoding)
    return layouts_latent_shape(rounds, name)


def data_facts(rounds: Rounds, name: str) -> DatasetFacts:
    """What is known of an experiment's data before it is packed."""
    encoding = volume_encoding(rounds, name)
    if encoding is not None:
        return patch_facts(rounds, encoding)
    return dataset_facts(rounds, rounds.data_of(name)[0])
