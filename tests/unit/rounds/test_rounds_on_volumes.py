"""Rounds on volumes: what jobs are told and plan, and what is refused before any starts."""

import json

import pytest
from test_vqgan_experiments import SMALL

from sparring.errors import UserError
from sparring.rounds import (
    autoencoder_directory,
    check_rounds,
    disk_needed,
    job_files,
    latents_file,
    lineage,
    packed_file,
    stage_settings,
)
from sparring.rounds.listing import all_jobs

PHANTOMS = {
    "kind": "phantoms", "num_volumes": 20, "size": 32,
    "split": {"train": 0.5, "val": 0.1, "test": 0.4},
}  # fmt: skip
BASE = {"dataset": "phantoms", "autoencoder": "vol", "denoiser": {"preset": "unet3d_tiny"}}
VQGAN_CONFIG = {
    "downsample": [4, 4, 4], "code_dim": 8, "quantiser": "ema", "latents_mean": [0.0] * 8,
    "hu_window": [-1000.0, 1000.0],
}  # fmt: skip


@pytest.fixture
def volumes(project):
    """Phantoms of 32 voxels, a VQ-GAN on patches of 16, a denoiser `base` and rounds `exp`."""
    project.config["datasets"]["phantoms"] = PHANTOMS
    project.vol = lambda name="vol", **keys: project._write(name, SMALL | keys)
    project.base = lambda name="base", **keys: project.pretrain(name, **(BASE | keys))
    project.vol()
    project.base()
    project.adversarial()
    return project


def settings(project, rule, **wildcards):
    rounds = project.load("exp")
    check_rounds(rounds)
    return json.loads(stage_settings(rounds, rule, wildcards).to_json())


def jobs(project):
    """Every job with its settings, by place."""
    rounds = project.load("exp")
    check_rounds(rounds)
    return {
        job_files(rounds, rule, w).job: stage_settings(rounds, rule, w).to_json()
        for rule, w in all_jobs(rounds)
    }


@pytest.mark.parametrize(
    ("text", "phase"),
    [("vol", "adversarial"), ("vol@control", "control"), ("vol@reconstruction", "reconstruction")],
)
def test_a_vqgan_stands_in_the_place_of_the_autoencoder(volumes, text, phase):
    volumes.base(autoencoder=text)
    rounds = volumes.load("exp")
    check_rounds(rounds)
    assert autoencoder_directory(rounds, "exp") == volumes.results(f"vol/{phase}/vqgan")
    assert latents_file(rounds, "exp", "val") == volumes.results(f"vol/{phase}/latents/val.h5")
    assert packed_file(rounds, "exp") == volumes.results("datasets/phantoms/volumes.h5")
    assert volumes.results(f"vol/{phase}") in lineage(rounds, "exp")
    place = {"experiment": "vol", "phase": phase}
    assert ("encode_volumes", place) in list(all_jobs(rounds))


def test_the_graph_is_that_of_layouts_but_for_the_data(volumes):
    volumes.pretrain("flat")
    volumes.adversarial("layouts", start_from="flat")
    rules = {
        name: {rule for rule, w in all_jobs(volumes.load(name))} for name in ("exp", "layouts")
    }
    of_data = {"pack_layouts", "train_autoencoder", "encode_layouts", "measure_layouts"}
    assert rules["layouts"] - rules["exp"] == of_data
    assert {r for r in rules["exp"] - rules["layouts"] if "vqgan" not in r} == {
        "pack_volumes", "encode_volumes", "reconstruct_volumes", "summarise_volumes",
        "measure_volumes",
    }  # fmt: skip


def test_every_job_has_a_place_of_its_own_and_the_disk_is_asked(volumes):
    rounds = volumes.load("exp")
    listed = list(all_jobs(rounds))
    assert len({job_files(rounds, rule, w).log for rule, w in listed}) == len(listed)
    assert "free" in disk_needed(rounds, listed)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda p: p.base(diffusion={"epochs": 7}), {"base/pretrain_diffusion"}),
        (
            lambda p: p.adversarial(discriminator={"epochs": 7}),
            {f"exp/adversarial/iteration_{n}/train_discriminator" for n in range(3)},
        ),
        (
            lambda p: p.vol(training=SMALL["training"] | {"batch_size": 3}),
            {"vol/reconstruction/train_vqgan_reconstruction",
             *(f"vol/{phase}/train_vqgan_adversarial" for phase in ("adversarial", "control"))},
        ),
    ],
)  # fmt: skip
def test_a_changed_key_is_told_to_its_own_jobs_and_no_others(volumes, change, told):
    before = jobs(volumes)
    change(volumes)
    after = jobs(volumes)
    changed = {place for place in after if after[place] != before.get(place)}
    assert {place.removeprefix(f"{volumes.folder}/state/")[: -len("/job.json")]
            for place in changed} == told  # fmt: skip


def test_a_directory_takes_the_experiment_s_place_with_a_patch_size(volumes):
    directory = volumes.model("vqgan", kind="VQGAN", **VQGAN_CONFIG)
    volumes.base(autoencoder=directory, patch_size=32)
    volumes.adversarial(num_samples=8)
    rounds = volumes.load("exp")
    check_rounds(rounds)
    assert autoencoder_directory(rounds, "exp") == directory
    (encode,) = [(rule, w) for rule, w in all_jobs(rounds) if rule == "encode_volumes"]
    assert stage_settings(rounds, *encode).patch_size == 32
    folder = "latents/{dataset}-{autoencoder}/train.h5".format(**encode[1])
    assert latents_file(rounds, "exp", "train") == volumes.results(folder)
    assert not [rule for rule, _ in all_jobs(rounds) if "vqgan" in rule]
    volumes.base("other", autoencoder=directory, patch_size=16)
    assert latents_file(volumes.load("other"), "other", "train") != volumes.results(folder)


def test_rounds_that_begin_from_directories_alone(volumes):
    vqgan = volumes.model("vqgan", kind="VQGAN", **VQGAN_CONFIG)
    unet = volumes.model("unet", kind="UNet3DModel", in_channels=8, sample_size=[4, 4, 4])
    volumes.adversarial(start_from=unet, dataset="phantoms", autoencoder=vqgan)
    encode = next((r, w) for r, w in all_jobs(volumes.load("exp")) if r == "encode_volumes")
    assert stage_settings(volumes.load("exp"), *encode).patch_size == 16
    check_rounds(volumes.load("exp"))
    other = volumes.model("flat", in_channels=8, sample_size=4)
    volumes.adversarial(start_from=other, dataset="phantoms", autoencoder=vqgan)
    assert "holds a UNet2DModel, expected" in volumes.refusal("exp")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"dataset": "tiny"}, "a VQ-GAN of volumes, but dataset tiny is of kind procedural"),
        ({"autoencoder": "kl"}, "datasets.phantoms.kind is 'phantoms', volumes, but layouts"),
        ({"autoencoder": "nothing"}, "autoencoder is 'nothing', but config/config.yaml has only"),
        ({"denoiser": {"preset": "unet_tiny"}}, "preset unet_tiny is for latents of layouts"),
        ({"denoiser": {"preset": "unet3d_64_d3"}}, "needs latents whose side is a multiple of 8"),
        ({"patch_size": 32}, "vol's training.patch_size says it; leave the key out"),
        ({"dataset": "others"}, "vol encodes its own, 'phantoms'"),
        ({"diffusion": {"sample_grid": {"guidance_scale": 2.0}}}, "names no condition"),
    ],
)
def test_a_denoiser_that_does_not_fit_is_refused(volumes, keys, said):
    volumes.config["datasets"]["others"] = PHANTOMS
    volumes.base(**keys)
    assert said in volumes.refusal("base")


def test_a_preset_of_volumes_on_layouts_is_refused_with_those_that_fit(volumes):
    volumes.pretrain("flat", denoiser={"preset": "unet3d_tiny"})
    message = volumes.refusal("flat")
    assert "preset unet3d_tiny is for latents of volumes, but dataset tiny has layouts" in message
    assert "unet64_d4" in message
    assert "unet3d" not in message.partition("choose one of")[2]


@pytest.mark.parametrize(
    ("config", "keys", "said"),
    [
        ({}, {}, "patch_size is missing"),
        ({}, {"patch_size": 18}, "not divisible by the downsampling"),
        ({}, {"patch_size": 64}, "smaller than"),
        ({"hu_window": [-200.0, 300.0]}, {"patch_size": 16}, "was trained on [-200.0, 300.0]"),
        ({"latents_mean": None}, {"patch_size": 16}, "says no latents_mean"),
    ],
)
def test_a_directory_that_does_not_fit_is_refused(volumes, config, keys, said):
    directory = volumes.model("vqgan", kind="VQGAN", **VQGAN_CONFIG | config)
    volumes.base(autoencoder=directory, **keys)
    assert said in volumes.refusal("base")


def test_semantic_losses_are_for_layouts(volumes):
    volumes.adversarial(semantic={})
    assert "semantic losses compare decoded layouts" in volumes.refusal()
    volumes._write("taught", {"kind": "finetune", "start_from": "base"})
    assert "semantic losses compare decoded layouts" in volumes.refusal("taught")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"num_samples": 81}, "80 training patches to draw reals from"),
        ({"discriminator": {"num_layers": 3}}, "halves latents of side 4 to nothing"),
        ({"discriminator": {"val_fraction": 0.01}}, "trains on 10 patients"),
        ({"evaluation": {"feature_dim": 40}}, "only 64 test patches; set at most 32"),
    ],
)
def test_rounds_that_do_not_fit_the_volumes_are_refused(volumes, keys, said):
    volumes.adversarial(**keys)
    assert said in volumes.refusal()


def test_too_few_held_out_patients_are_refused(volumes):
    split = {"train": 0.8, "val": 0.1, "test": 0.1}
    volumes.config["datasets"]["phantoms"] = PHANTOMS | {"split": split}
    assert "holds out 2 patients" in volumes.refusal()


def test_slabs_of_patients_that_train_hold_nothing_out(volumes, monkeypatch):
    from sparring.data.volume_facts import VolumeFacts

    facts = [VolumeFacts(f"{n}{s}", str(n), s, (32, 32, 32))
             for n in range(8) for s in ("train", "test")]  # fmt: skip
    monkeypatch.setattr("sparring.rounds.volume_checks.volume_facts", lambda _: facts)
    assert "slabs of patient 0 both in train and in test" in volumes.refusal()


def test_denoisers_of_other_vqgans_do_not_go_on_from_each_other(volumes):
    volumes.base("other", autoencoder="vol@control")
    volumes.adversarial(fakes_from="other")
    assert "autoencoder is 'vol', but fakes_from 'other' was trained on" in volumes.refusal()


def test_a_vqgan_is_no_experiment_of_latents_nor_the_other_way(volumes):
    volumes.base("other", autoencoder="base")
    with pytest.raises(UserError, match="base is of kind pretrain, expected one of kind vqgan"):
        volumes.load("other")


@pytest.mark.parametrize("package", ["monai", "einops"])
def test_a_missing_package_is_named_before_anything_is_trained(volumes, monkeypatch, package):
    monkeypatch.setattr(
        "sparring.rounds.volume_checks.find_spec",
        lambda name: None if name == package else object(),
    )
    assert f"need the package {package}" in volumes.refusal("base")
