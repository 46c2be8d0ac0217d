"""Every key, type, range, unit and default, as pydantic models. Torch-free.

`config` holds config/config.yaml, `dataset` and `autoencoder` its entries, `experiment` the files
under config/experiments, `stages` what one job is told, `reading` turns YAML into these models.
"""
