"""Sampling latents from a denoiser, and pictures of them."""
