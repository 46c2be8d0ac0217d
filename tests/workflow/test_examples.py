"""Every example under config/experiments is valid with the repository's configuration."""

from pathlib import Path

import pytest
from workspace import REPOSITORY

from sparring.data.volume_manifest import read_volume_manifest
from sparring.models.presets import PRESETS
from sparring.rounds import check_rounds, load_rounds
from sparring.settings.dataset import ManifestDataset
from sparring.settings.reading import read_yaml
from sparring.settings.volumes import VolumeDataset

EXAMPLES = sorted(p.stem for p in (REPOSITORY / "config" / "experiments").glob("*.yaml"))
FAMILY = sorted(
    {n for n, preset in PRESETS.items() if preset.dims == 2} - {"unet_micro", "unet_tiny"}
)


@pytest.fixture
def load(monkeypatch):
    """Loads experiments as `snakemake` in the repository would."""
    monkeypatch.chdir(REPOSITORY)

    def load_names(*names):
        config = read_yaml(Path("config/config.yaml"))
        return load_rounds(config | {"experiments": list(names)})

    return load_names


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_loads_and_would_be_accepted(load, name):
    rounds = load(name)
    assert rounds.requested
    for dataset in rounds.datasets:
        settings = rounds.config.datasets[dataset]
        if isinstance(settings, ManifestDataset) and not settings.manifest.is_file():
            pytest.skip(f"loaded; the data for further checks is not here ({settings.manifest})")
    for experiment in rounds.vqgans.values():
        settings = rounds.config.datasets[experiment.dataset]
        if isinstance(settings, VolumeDataset):
            missing = [e.path for e in read_volume_manifest(settings) if not e.path.is_file()]
            if missing:
                pytest.skip(f"loaded; the data for further checks is not here ({missing[0]})")
    check_rounds(rounds)


def test_what_the_configuration_runs_is_accepted_as_it_comes(load):
    wanted = read_yaml(REPOSITORY / "config" / "config.yaml")["experiments"]
    check_rounds(load(*wanted))


@pytest.mark.parametrize("preset", FAMILY)
def test_every_preset_has_a_stage_1_on_the_same_data(load, preset):
    rounds = load(f"stage1_{preset}", "stage1_unet64_d4")
    own, reference = (rounds.pretrain(name) for name in (f"stage1_{preset}", "stage1_unet64_d4"))
    assert own.denoiser.preset == preset
    assert own.model_copy(update={"denoiser": reference.denoiser}) == reference


def test_the_linear_schedule_is_all_that_sets_its_experiment_apart(load):
    names = ("stage1_scheduler_linear", "stage1_unet48_d4")
    linear, other = map(load(*names).pretrain, names)
    assert (linear.noise_schedule.schedule, other.noise_schedule.schedule) == ("linear", "cosine")
    schedule = other.noise_schedule.model_copy(update={"schedule": "linear"})
    assert other.model_copy(update={"noise_schedule": schedule}) == linear


@pytest.mark.parametrize("preset", ["unet64_d4", "unet48_d4", "unet32_d3"])
def test_stage_2_is_the_reference_recipe(load, preset):
    name = f"reference_stage2_{preset}"
    rounds = load(name)
    found = rounds.adversarial(name)
    assert found.start_from == f"stage1_{preset}"
    assert (found.iterations, found.num_samples) == (3, 5000)
    assert (found.sampling.sampler, found.sampling.num_steps) == ("ddim", 100)
    assert found.adversarial.objective == "x0_bce"
    assert found.diffusion.learning_rate == 5e-5


def test_the_sweep_of_presets_covers_the_family(load):
    rounds = load("sweep_presets")
    assert sorted(rounds.pretrain(n).denoiser.preset for n in rounds.requested) == FAMILY


@pytest.mark.parametrize("preset", ["unet64_d4", "unet48_d4", "unet32_d3", "unet128_d4"])
def test_stage_3_is_the_reference_recipe(load, preset):
    name = f"reference_stage3_{preset}"
    rounds = load(name)
    found, taught = rounds.adversarial(name), rounds.finetune(f"semantic_{preset}")
    assert (found.start_from, found.fakes_from) == (f"semantic_{preset}", f"stage1_{preset}")
    assert found.iterations * found.diffusion.epochs == 50
    assert found.diffusion.learning_rate == 3e-5
    assert (found.sampling.sampler, found.sampling.num_steps) == ("ddim", 100)
    assert (found.adversarial.objective, found.adversarial.weight) == ("x0_bce", 0.1)
    assert found.semantic == taught.semantic
    assert (found.semantic.segmentation_weight, found.semantic.perceptual_weight) == (0.1, 0.05)
    assert (taught.diffusion.epochs, taught.diffusion.learning_rate) == (100, 5e-5)
