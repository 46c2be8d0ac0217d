"""Configurations of hand-written training scripts, turned into experiments. Torch-free.

`table` says which old field becomes which key, `leaves` reads an old file, `values` and `losses`
turn its values, `conversion` puts an experiment together and accounts for every field, `report`
and `documentation` write it down.
"""
