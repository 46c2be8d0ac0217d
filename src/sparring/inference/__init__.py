"""Whole volumes through a network that takes windows."""
