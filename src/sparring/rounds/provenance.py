"""What a pipeline is exported from: an experiment's model, and the folders that speak of it."""

from .encodings import volume_encoding
from .loading import Rounds


def final_denoiser(rounds: Rounds, name: str) -> str:
    """Directory of the model that an experiment hands on: of its rounds the selected one."""
    place = f"{rounds.config.results}/{name}"
    return f"{place}/selected/denoiser" if name in rounds.adversarial_names else f"{place}/denoiser"


def lineage(rounds: Rounds, name: str) -> list[str]:
    """Folders of results with records of a model's data, training and start, its own first."""
    results, data = rounds.config.results, _data(rounds, name)
    places = [final_denoiser(rounds, name).removesuffix("/denoiser")]
    current: str | None = name
    while current is not None:
        places.append(f"{results}/{current}")
        text = getattr(rounds.experiments[current], "start_from", None)
        if text is None:
            break
        start = rounds.reference(current, "start_from", text).experiment
        if start is not None:
            directory = rounds.denoiser(current, "start_from", text)
            places.append(directory.removesuffix("/denoiser"))
        current = start
    return list(dict.fromkeys([*places, *data]))


def _data(rounds: Rounds, name: str) -> list[str]:
    """Folders that speak of the dataset, the autoencoder and the latents."""
    dataset, autoencoder = rounds.data_of(name)
    results, encoding = rounds.config.results, volume_encoding(rounds, name)
    places = [f"datasets/{dataset}"]
    if encoding is None:
        places += [f"autoencoders/{autoencoder}", f"latents/{dataset}-{autoencoder}"]
    elif encoding.experiment is None:
        places.append(encoding.place)
    else:
        phases = dict.fromkeys(("reconstruction", encoding.phase))
        places += [f"{encoding.experiment}/{phase}" for phase in phases]
    return [f"{results}/{place}" for place in places]
