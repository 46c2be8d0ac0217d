"""Losses: pure functions of tensors that return one value per sample, `[B]`."""
