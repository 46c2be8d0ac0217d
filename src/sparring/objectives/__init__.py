"""Adversarial objectives: one module each, and a torch-free table of what each needs."""
