"""Damaged or foreign inputs: one line, exit status 2, and no output."""

import shutil

import h5py
import pytest

ITERATION = "results/micro/adversarial/iteration_0"
TRAIN, FAKES = "results/latents/tiny-tiny/train.h5", f"{ITERATION}/fake_latents.h5"


def put_nan(path):
    with h5py.File(path, "r+") as file:
        for row in range(3, 128, 2):  # whichever rows are drawn
            if row < len(file["latents"]):
                file["latents"][row, 0, 0, 0] = float("nan")


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def foreign_autoencoder(path):
    with h5py.File(path, "r+") as file:
        file.attrs["autoencoder_digest"] = "0123456789abcdef"


CASES = {
    "NaN among the latents": ("encode_real", TRAIN, put_nan, ("NaN", "delete")),
    "a truncated file": ("encode_real", TRAIN, truncate, ("not a readable HDF5 file", "delete")),
    "NaN among the fakes": ("train_discriminator", FAKES, put_nan, ("NaN", "delete")),
    "fakes of another autoencoder": (
        "train_discriminator",
        FAKES,
        foreign_autoencoder,
        ("autoencoder 0123456789abcdef", "real_latents.h5"),
    ),
}
OUTPUTS = {
    "encode_real": ("real_latents.h5",),
    "train_discriminator": ("discriminator", "discriminator_history.csv"),
}


@pytest.mark.parametrize("what", CASES)
def test_bad_latents_stop_the_stage(finished_copy, command_of, what):
    rule, damaged, damage, expected = CASES[what]
    damage(finished_copy / damaged)
    outputs = [finished_copy / ITERATION / name for name in OUTPUTS[rule]]
    for path in outputs:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = finished_copy.shell(command_of(rule, iteration=0))
    assert done.returncode == 2, done.stderr
    refusals = [line for line in done.stderr.splitlines() if damaged in line]
    assert len(refusals) == 1, done.stderr
    assert all(part in refusals[0] for part in expected), refusals
    assert "Traceback" not in done.stderr
    assert not any(path.exists() for path in outputs)
    assert list((finished_copy / ITERATION).glob(".*")) == []


def test_a_run_repairs_a_deleted_output_alone(finished_copy):
    """Snakemake makes a missing picture again and leaves all training alone."""
    picture = finished_copy / "results/micro/samples.png"
    before = picture.read_bytes()
    picture.unlink()
    done = finished_copy.snakemake("--cores", "1")
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes() == before
    assert finished_copy.plan() == set()
