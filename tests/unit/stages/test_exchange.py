"""Latents in and out, and the programs that carry them: what goes out comes in again."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from sparring.artefacts.foreign_latents import foreign_latents
from sparring.artefacts.latent_sets import read_labelled_sets
from sparring.artefacts.latents import latents_info, read_column, read_latents, writing_latents
from sparring.errors import UserError
from sparring.models.denoiser import load_denoiser
from sparring.stages.exchange import export_folder, export_tensor, import_latents

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
MEAN, STD = [0.5, -2.0], [3.0, 0.25]


@pytest.fixture
def autoencoder(tmp_path):
    """The files that importing reads; no network is run."""
    folder = tmp_path / "autoencoder"
    folder.mkdir()
    config = {"latent_channels": 2, "latents_mean": MEAN, "latents_std": STD}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def latents():
    return torch.randn(70, 2, 4, 4, generator=torch.Generator().manual_seed(0))


def as_file(tmp_path, latents, name="latents.pt"):
    torch.save(latents, tmp_path / name)
    return tmp_path / name


def our_file(path, latents, **columns):
    with writing_latents(
        path, len(latents), {"kind": "real", "autoencoder_digest": "abc"}
    ) as writer:
        writer.append(latents.numpy())
        for name, values in columns.items():
            writer.column(name, values)
    return path


def run(name, *options):
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True)


class TestImportingLatents:
    def test_they_become_a_latents_file(self, tmp_path, latents):
        path = as_file(tmp_path, latents)
        moments = import_latents(foreign_latents(path), tmp_path / "a.h5")
        np.testing.assert_array_equal(
            read_latents(tmp_path / "a.h5"), latents.numpy().astype(np.float16)
        )
        info = latents_info(tmp_path / "a.h5")
        assert (info.count, info.shape) == (70, (2, 4, 4))
        assert not info.names_autoencoder
        assert read_column(tmp_path / "a.h5", "sample_id").tolist() == [str(n) for n in range(70)]
        assert moments.std == pytest.approx(float(latents.std(correction=0)))

    def test_raw_ones_are_standardised_by_their_autoencoder(self, tmp_path, latents, autoencoder):
        raw = latents * torch.tensor(STD).reshape(2, 1, 1) + torch.tensor(MEAN).reshape(2, 1, 1)
        source = foreign_latents(as_file(tmp_path, raw))
        import_latents(source, tmp_path / "a.h5", autoencoder, standardise=True)
        np.testing.assert_allclose(read_latents(tmp_path / "a.h5"), latents, atol=5e-3)
        assert latents_info(tmp_path / "a.h5").names_autoencoder

    def test_standardising_needs_an_autoencoder(self, tmp_path, latents):
        source = foreign_latents(as_file(tmp_path, latents))
        with pytest.raises(UserError, match="add --autoencoder"):
            import_latents(source, tmp_path / "a.h5", standardise=True)

    def test_latents_of_other_channels_are_refused(self, tmp_path, autoencoder):
        source = foreign_latents(as_file(tmp_path, torch.zeros(3, 4, 4, 4)))
        with pytest.raises(UserError, match=r"latents are \[4, 4, 4\], but .* makes 2 channels"):
            import_latents(source, tmp_path / "a.h5", autoencoder)

    @pytest.mark.parametrize("value", [float("nan"), 7e4])
    def test_a_late_fault_leaves_no_file(self, tmp_path, latents, value):
        latents[69] = value
        source = foreign_latents(as_file(tmp_path, latents))
        with pytest.raises(UserError):
            import_latents(source, tmp_path / "a.h5")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["latents.pt"]

    def test_copies_are_told_from_originals(self, tmp_path, latents):
        for n in range(3):
            torch.save(latents[n].clone(), tmp_path / f"{n}.pt")
        lines = ["latent_path,parent_id", "0.pt,", "1.pt,0", "2.pt,0"]
        (tmp_path / "manifest.csv").write_text("\n".join(lines))
        import_latents(foreign_latents(tmp_path / "manifest.csv"), tmp_path / "a.h5")
        assert read_column(tmp_path / "a.h5", "is_augmented").tolist() == [False, True, True]
        assert read_column(tmp_path / "a.h5", "original_id").tolist() == ["0", "0", "0"]


class TestExportingLatents:
    def test_a_bare_tensor_comes_in_again_unchanged(self, tmp_path, latents):
        ours = our_file(tmp_path / "a.h5", latents)
        export_tensor(ours, tmp_path / "a.pt")
        out = torch.load(tmp_path / "a.pt", weights_only=True)
        assert (out.dtype, out.shape) == (torch.float32, latents.shape)
        import_latents(foreign_latents(tmp_path / "a.pt"), tmp_path / "again.h5")
        np.testing.assert_array_equal(read_latents(tmp_path / "again.h5"), read_latents(ours))

    def test_equal_latents_are_equal_bytes_under_any_name(self, tmp_path, latents):
        ours = our_file(tmp_path / "a.h5", latents)
        export_tensor(ours, tmp_path / "first.pt")
        export_tensor(ours, tmp_path / "a_longer_name.pt")
        first, second = (tmp_path / n for n in ("first.pt", "a_longer_name.pt"))
        assert first.read_bytes() == second.read_bytes()

    def test_a_folder_holds_a_small_file_per_sample(self, tmp_path, latents):
        ours = our_file(tmp_path / "a.h5", latents)
        assert export_folder(ours, tmp_path / "out") == 70
        files = sorted((tmp_path / "out").rglob("*.pt"))
        assert len(files) == 70
        assert max(file.stat().st_size for file in files) < 4000  # 32 numbers, not all 2240
        import_latents(foreign_latents(tmp_path / "out" / "manifest.csv"), tmp_path / "again.h5")
        np.testing.assert_array_equal(read_latents(tmp_path / "again.h5"), read_latents(ours))

    def test_reals_and_fakes_in_one_folder_are_a_discriminator_s_dataset(self, tmp_path, latents):
        ids = [f"s{n}" for n in range(40)]
        originals = [f"s{n // 2}" for n in range(40)]
        real = our_file(tmp_path / "r.h5", latents[:40], sample_id=ids, original_id=originals)
        fake = our_file(tmp_path / "f.h5", latents[40:], noise_index=np.arange(30))
        for _ in range(2):  # doing it again doubles nothing
            export_folder(real, tmp_path / "out", label=True)
            assert export_folder(fake, tmp_path / "out", label=False) == 70
        reals, fakes = read_labelled_sets(tmp_path / "out" / "manifest.csv")
        np.testing.assert_array_equal(reals.latents, read_latents(real))
        np.testing.assert_array_equal(fakes.latents, read_latents(fake))
        assert reals.original_id.tolist() == originals
        with open(tmp_path / "out" / "manifest.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {(row["label"], row["is_viable"]) for row in rows} == {("1", "1"), ("0", "0")}


class TestPrograms:
    def test_latents_through_both_programs(self, tmp_path, latents):
        done = run(
            "import_latents", "--latents", as_file(tmp_path, latents), "--output", tmp_path / "a.h5"
        )
        assert done.returncode == 0, done.stderr
        assert "70 latents [2, 4, 4], mean" in done.stdout
        assert "warning" not in done.stdout
        done = run(
            "export_latents", "--latents", tmp_path / "a.h5", "--output", tmp_path / "b.pt",
            "--folder", tmp_path / "out", "--label", "1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        out = torch.load(tmp_path / "b.pt", weights_only=True)
        assert torch.equal(out, latents.half().float())
        assert len((tmp_path / "out" / "manifest.csv").read_text().splitlines()) == 71

    def test_raw_latents_without_standardising_are_warned_of(self, tmp_path, latents):
        path = as_file(tmp_path, latents * 9)
        done = run("import_latents", "--latents", path, "--output", tmp_path / "a.h5")
        assert "warning" in done.stdout
        assert "are they raw" in done.stdout

    def test_a_refusal_is_one_line_and_status_2(self, tmp_path):
        path = as_file(tmp_path, {"a": torch.zeros(1)})
        done = run("import_latents", "--latents", path, "--output", tmp_path / "a.h5")
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "holds a dict with 'a', expected a bare tensor" in line

    def test_a_denoiser_says_what_was_taken(self, tmp_path):
        model = UNet2DModel(
            sample_size=8, in_channels=2, out_channels=2, layers_per_block=1, norm_num_groups=4,
            block_out_channels=(8,), down_block_types=("DownBlock2D",),
            up_block_types=("UpBlock2D",),
        )  # fmt: skip
        (tmp_path / "config.json").write_text(model.to_json_string())
        path = as_file(tmp_path, {"ema": model.state_dict(), "model": model.state_dict()})
        common = ("--weights", path, "--config", tmp_path / "config.json")
        common += ("--output", tmp_path / "denoiser")
        done = run(
            "import_denoiser", *common, "--schedule", "cosine", "--num-timesteps", 500,
            "--prediction", "v",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "taken: ema" in done.stdout
        assert "--key takes them instead: model" in done.stdout
        again, schedule = load_denoiser(tmp_path / "denoiser")
        assert torch.equal(again.conv_in.weight, model.conv_in.weight)
        config = schedule.config
        assert (config.num_train_timesteps, config.prediction_type) == (500, "v_prediction")
        assert config.beta_schedule == "squaredcos_cap_v2"
        unsaid = run("import_denoiser", *common)
        assert unsaid.returncode == 2
        assert "--scheduler --schedule is required" in unsaid.stderr
        wrong = run("import_denoiser", *common, "--schedule", "linear", "--num-timesteps", 1)
        assert wrong.returncode == 2
        assert "num_timesteps: found 1" in wrong.stderr
