"""The converter as a program: what it writes and prints loads, and it never writes over a file."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workspace import REPOSITORY

from sparring.rounds import check_rounds, load_rounds

PROGRAM = REPOSITORY / "workflow" / "scripts" / "convert_config.py"
OLD = """
experiment: {name: stage2_discriminator, save_path: /old/out}
dataset: {manifest: /old/layouts/manifest.csv}
autoencoder: {checkpoint: /old/ae/best.pt}
diffusion: {stage1_checkpoint: /old/stage1/best.pt}
discriminator: {config: {base_channels: 8, num_layers: 3}}
training:
  batch_size: 32
  num_workers: 8
  loss:
    type: CompositeLoss
    losses:
      - {type: MSELoss, key: pred_noise, weight: 1.0}
      - {type: DiscriminatorLoss, key: latent, weight: 0.1}
"""
STAGE1 = """
experiment: {name: stage1}
dataset: {manifest: /old/layouts/manifest.csv}
diffusion: {unet: {base_channels: 32, depth: 3}, scheduler: {type: linear, num_steps: 1000}}
training: {epochs: 2, loss: {type: MSELoss}}
"""


@pytest.fixture
def convert(tmp_path):
    """Runs the program in a folder of its own."""
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "stage1.yaml").write_text(STAGE1)

    def run(*options: str) -> subprocess.CompletedProcess:
        command = [sys.executable, str(PROGRAM), *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return run


def load(folder: Path, *printed: str):
    """The rounds of what was printed, with the files that were written."""
    config: dict = {"experiments": [], "datasets": {}, "autoencoders": {}, "device": "cpu"}
    for text in printed:
        for key, value in yaml.safe_load(text).items():
            config[key] = config[key] + value if key == "experiments" else config[key] | value
    return load_rounds(config | {"experiments_dir": str(folder / "config" / "experiments")})


def test_what_is_written_and_printed_loads(convert, tmp_path):
    done = convert("old.yaml", "--num_samples", "100", "--num-iterations=2")
    assert done.returncode == 0, done.stderr
    rounds = load(tmp_path, done.stdout)
    experiment = rounds.adversarial("stage2_discriminator")
    assert (experiment.num_samples, experiment.iterations) == (100, 2)
    assert experiment.discriminator.base_channels == 8
    assert rounds.data_of("stage2_discriminator") == ("layouts", "layouts_kl")
    assert "training.num_workers" in done.stderr
    assert "/old/layouts/manifest.csv is not there" in done.stderr


def test_two_files_make_a_chain(convert, tmp_path):
    first = convert("stage1.yaml")
    second = convert("old.yaml", "--start-from", "stage1", "--name", "rounds")
    rounds = load(tmp_path, first.stdout, second.stdout)
    assert rounds.pretrain("stage1").denoiser.preset == "unet32_d3"
    assert rounds.start_denoiser("rounds") == "results/stage1/denoiser"
    assert rounds.data_of("rounds") == rounds.data_of("stage1")


def test_with_data_of_ones_own_the_chain_passes_all_checks(convert, tmp_path):
    entries = ("--dataset", "tiny", "--autoencoder", "tiny")
    assert convert("stage1.yaml", *entries).returncode == 0
    flags = ("--num_samples", "64", "--device", "cpu")
    assert convert("old.yaml", "--start-from", "stage1", *flags).returncode == 0
    config = {
        "experiments": ["stage2_discriminator"],
        "experiments_dir": str(tmp_path / "config" / "experiments"),
        "datasets": {"tiny": {"kind": "procedural", "num_layouts": 2000, "size": 64}},
        "autoencoders": {"tiny": {"dataset": "tiny", "block_out_channels": [8, 8, 16]}},
    }
    rounds = load_rounds(config)
    check_rounds(rounds)
    assert list(rounds.experiments) == ["stage2_discriminator", "stage1"]


def test_the_old_checkpoint_is_refused_until_it_is_imported(convert, tmp_path):
    options = ("--dataset", "tiny", "--autoencoder", "tiny", "--num_samples", "64")
    assert convert("old.yaml", *options).returncode == 0
    config = {
        "experiments": ["stage2_discriminator"],
        "experiments_dir": str(tmp_path / "config" / "experiments"),
        "datasets": {"tiny": {"kind": "procedural", "num_layouts": 2000, "size": 64}},
        "autoencoders": {"tiny": {"dataset": "tiny", "block_out_channels": [8, 8, 16]}},
    }
    with pytest.raises(Exception, match=r"start_from is 'models/stage1'.*cannot be read"):
        check_rounds(load_rounds(config))


def test_dashes_and_underscores_are_the_same(convert, tmp_path):
    written = []
    for sign in "_-":
        flag = f"--generation{sign}batch{sign}size"
        assert convert("old.yaml", flag, "7", f"--output={sign}/x.yaml").returncode == 0
        written.append((tmp_path / sign / "x.yaml").read_text())
    assert written[0] == written[1]
    assert yaml.safe_load(written[0])["sampling"] == {"batch_size": 7}


def test_a_file_that_stands_there_is_left_alone(convert, tmp_path):
    path = tmp_path / "config" / "experiments" / "stage2_discriminator.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    done = convert("old.yaml")
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert path.read_text() == "mine"
    assert convert("old.yaml", "--force").returncode == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected keys and values"),
        ("a: [", "not valid YAML"),
        ("- 1", "found list"),
        ("training: {epochs: 3}", "dataset.manifest is missing"),
        (OLD.replace("32", "-1"), "training.batch_size"),
        ("model: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_line_and_nothing_is_written(
    convert, tmp_path, text, expected
):
    (tmp_path / "bad.yaml").write_text(text)
    done = convert("bad.yaml")
    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize("flag", ["--num_samples=many", "--num_samples=[", "--nom_samples=3"])
def test_a_flag_that_makes_no_sense_is_refused_and_named(convert, flag):
    done = convert("old.yaml", flag)
    assert done.returncode == 2
    assert flag.partition("=")[0] in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
