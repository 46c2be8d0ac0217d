"""Distances between samples and held-out reals, with intervals."""
