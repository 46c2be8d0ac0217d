"""A project in a temporary folder: a configuration and experiment files that tests vary."""

import json
from copy import deepcopy

import pytest
import yaml

from sparring.errors import UserError
from sparring.rounds import check_rounds, load_rounds

SMALL = {
    "iterations": 3,
    "num_samples": 20,
    "adversarial": {"objective": "x0_bce"},
    "sampling": {"sampler": "ddim"},
    "discriminator": {"num_layers": 2},
    "evaluation": {"feature_dim": 4},
}


class Project:
    """Writes experiment files and loads them."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.experiments = folder / "experiments"
        self.experiments.mkdir()
        self.config = {
            "experiments_dir": str(self.experiments),
            "results": str(folder / "results"),
            "state": str(folder / "state"),
            "logs": str(folder / "logs"),
            "device": "cpu",
            "datasets": {
                "tiny": {"kind": "procedural", "num_layouts": 100, "size": 32},
                "large": {"kind": "procedural", "num_layouts": 100, "size": 64},
            },
            "autoencoders": {
                "kl": {"dataset": "tiny", "block_out_channels": [8, 8, 8]},
                "wide": {"dataset": "tiny", "block_out_channels": [8, 8, 8], "latent_channels": 8},
            },
        }

    def pretrain(self, name="base", **keys):
        base = {"dataset": "tiny", "autoencoder": "kl", "denoiser": {"preset": "unet_tiny"}}
        return self._write(name, {"kind": "pretrain"} | base | keys)

    def adversarial(self, name="exp", start_from="base", **keys):
        merged = {"kind": "adversarial", "start_from": start_from} | deepcopy(SMALL)
        for key, value in keys.items():
            old = merged.get(key)
            merged[key] = old | value if isinstance(old, dict) else value
        return self._write(name, merged)

    def model(self, name, kind="UNet2DModel", **config):
        """A model directory with a config.json and otherwise empty files."""
        directory = self.folder / "models" / name
        directory.mkdir(parents=True)
        (directory / "config.json").write_text(json.dumps({"_class_name": kind} | config))
        for other in ("diffusion_pytorch_model.safetensors", "scheduler_config.json"):
            (directory / other).touch()
        return str(directory)

    def load(self, *names):
        return load_rounds(self.config | {"experiments": list(names or ["exp"])})

    def refusal(self, *names) -> str:
        """The one line with which the checks refuse to begin."""
        with pytest.raises(UserError) as caught:
            check_rounds(self.load(*names))
        message = str(caught.value)
        assert "\n" not in message
        return message

    def file(self, name):
        return f"{self.experiments}/{name}.yaml"

    def results(self, path):
        return f"{self.folder}/results/{path}"

    def _write(self, name, content):
        (self.experiments / f"{name}.yaml").write_text(yaml.safe_dump(content))


@pytest.fixture
def project(tmp_path):
    """With a pretrain experiment `base`, for latents [4, 8, 8]."""
    made = Project(tmp_path)
    made.pretrain("base")
    return made
