"""Old configuration files of the usual structures."""

import yaml

STAGE1 = """
experiment: {name: capacity_unet64_d4, save_path: /old/out/unet64_d4, seed: 7}
dataset:
  manifest: /old/layouts/manifest.csv
  outputs: [rgb, segmentation]
  batch_size: 16
  image_size: [256, 256]
  split: {train: 0.8, val: 0.2}
autoencoder: {config: /old/ae.yaml, latent_channels: 16}
diffusion:
  scheduler: {type: CosineScheduler, num_steps: 500}
  unet: {base_channels: 64, depth: 4, num_res_blocks: 1, dropout: 0.2}
training:
  epochs: 200
  batch_size: 32
  optimizer: {type: AdamW, lr: 1e-4, weight_decay: 0.01}
  scheduler: {type: CosineAnnealingLR, T_max: 200}
  num_workers: 8
  use_ema: true
  gradient_clip: 0.5
  eval_interval: 2
  sample_interval: 20
  num_samples: 16
  cfg: {dropout: 0.1}
  loss: {type: MSELoss, key: pred_noise, target: noise, weight: 1.0}
"""
SEMANTIC = """
experiment: {name: stage2-semantic}
dataset: {manifest: /old/layouts/layouts.csv, outputs: {rgb: image_path, segmentation: seg_path}}
autoencoder: {checkpoint: /old/ae/checkpoints/best.pt, frozen: true}
diffusion: {stage1_checkpoint: /old/unet64_d4/checkpoints/best.pt}
training:
  epochs: 100
  learning_rate: 5.0e-5
  loss:
    type: CompositeLoss
    losses:
      - {type: MSELoss, key: pred_noise, weight: 1.0}
      - {type: SemanticLoss, weight: 0.5, segmentation_weight: 0.1, perceptual_weight: 0.05}
"""
ROUNDS = """
experiment: {name: stage2_discriminator, save_path: /old/out}
dataset: {manifest: /old/layouts/manifest.csv, outputs: {latent: latent_path}}
autoencoder: {checkpoint: /old/ae/best.pt}
diffusion: {stage1_checkpoint: /old/stage1.ckpt, scheduler: {type: linear, num_steps: 1000}}
discriminator:
  config: {latent_channels: 16, base_channels: 64, num_layers: 4}
  weight: 0.2
training:
  batch_size: 32
  loss:
    type: CompositeLoss
    components:
      - {type: MSELoss, key: pred_noise, target: noise, weight: 1.0}
      - {type: DiscriminatorLoss, key: latent, target: null, weight: 0.1}
"""
STAGE3 = """
exp: {name: stage3}
train: {epochs: 300, num_workers: 4}
data: {manifest: /old/layouts/manifest.csv}
vae: {checkpoint: /old/ae_directory}
diffusion: {stage1_checkpoint: /old/stage1.pt, stage2_checkpoint: /old/stage2_directory}
adversarial:
  num_iterations: 5
  fake_sampling: {num_samples: 1000, num_steps: 50, method: ddim, batch_size: 16}
  discriminator: {epochs: 20, batch_size: 64, learning_rate: 2e-4, config: {num_layers: 3}}
  diffusion_finetune:
    epochs: 10
    loss: [MSELoss, DiscriminatorLoss, SemanticLoss]
  real_latents_path: /old/real_latents_all.pt
"""
TEXTS = {"stage1": STAGE1, "semantic": SEMANTIC, "rounds": ROUNDS, "stage3": STAGE3}
KINDS = {
    "stage1": "pretrain",
    "semantic": "finetune",
    "rounds": "adversarial",
    "stage3": "adversarial",
}


def old(name):
    """The content of an old file."""
    return yaml.safe_load(TEXTS[name])
