"""The names of the files in a model directory. Torch-free, for the rules read them too."""

WEIGHTS = "diffusion_pytorch_model.safetensors"
CONFIG = "config.json"
SCHEDULER = "scheduler_config.json"
MODEL_FILES = (WEIGHTS, CONFIG)
DENOISER_FILES = (WEIGHTS, SCHEDULER, CONFIG)
"""The config comes last wherever files are written one by one."""
