"""Micro rounds on the latents of a micro VQ-GAN, on the real program."""

from copy import deepcopy

from test_vqgan import EXPERIMENT
from workspace import EXPERIMENTS, Workspace

ROUNDS = deepcopy(EXPERIMENTS["micro"]) | {
    "start_from": "vol_base",
    "iterations": 1,
    "num_samples": 16,
    "sampling": {"num_steps": 3, "batch_size": 8},
}
ROUNDS["discriminator"] |= {"num_layers": 2}
ROUNDS["diffusion"] |= {"epochs": 2, "batch_size": 16}
ROUNDS["evaluation"] |= {"num_samples": 16, "feature_dim": 2}


def workspace_in(folder):
    """Phantoms of 32 voxels in patches of 16, latents [4, 4, 4, 4]."""
    run = Workspace(folder, folder)
    run.config |= {"experiments": ["vol_rounds"], "autoencoders": {}}
    split = {"train": 0.5, "val": 0.1, "test": 0.4}
    run.config["datasets"] = {
        "phantoms": {"kind": "phantoms", "num_volumes": 10, "size": 32, "split": split}
    }
    run.experiments = {
        "vol": EXPERIMENT | {"steps": 4, "adversarial": None},
        "vol_base": {
            "kind": "pretrain",
            "dataset": "phantoms",
            "autoencoder": "vol",
            "denoiser": {"preset": "unet3d_tiny"},
            "diffusion": {"epochs": 1, "batch_size": 16, "sample_interval": 0},
        },
        "vol_rounds": deepcopy(ROUNDS),
    }
    return run
