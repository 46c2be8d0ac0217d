"""Networks: denoiser presets, discriminator, autoencoder. Nothing is imported eagerly."""
