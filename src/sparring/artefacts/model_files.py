"""The names of the files in a model directory. Torch-free, for the rules read them too."""

WEIGHTS = "diffusion_pytorch_model.safetensors"
CONFIG = "config.json"
SCHEDULER = "scheduler_config.json"
MODEL_FILES = (WEIGHTS, CONFIG)
DENOISER_FILES = (WEIGHTS, SCHEDULER, CONFIG)
"""The config comes last wherever files are written one by one."""

PIPELINE_INDEX, MODEL_CARD = "model_index.json", "README.md"
PIPELINE_CODE = "pipeline.py"
"""Only beside class-conditional models."""
PIPELINE_FILES = (
    *(f"{part}/{name}" for part in ("unet", "vqvae") for name in MODEL_FILES),
    f"scheduler/{SCHEDULER}",
    MODEL_CARD,
    PIPELINE_INDEX,
)
"""A diffusers pipeline; the index comes last."""
