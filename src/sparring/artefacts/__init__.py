"""Files: atomic writes, layouts and latents in HDF5, model directories, histories, digests.

Everything is written aside and renamed last, so a file that exists is complete.
"""
