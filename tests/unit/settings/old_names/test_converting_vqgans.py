"""The YAML of a VQ-GAN: every value lands in a key or in the account, and the result validates."""

import pytest

from sparring.errors import UserError
from sparring.settings.old_names.assembly import Asked
from sparring.settings.old_names.report import account_text, config_text, experiment_text
from sparring.settings.old_names.vqgan import (
    VQGAN_FIELDS,
    VQGAN_LEFT_OUT,
    convert_vqgan,
    is_vqgan,
)
from sparring.settings.reading import validate
from sparring.settings.vqgan_experiment import VqganExperiment

OLD = {
    "name": "ct-vqgan",
    "seed": 7,
    "dataset": {"manifest": "scans/train.csv", "max_patients": 50, "hu_range": [-1000, 400]},
    "model": {
        "n_hiddens": 64,
        "n_codes": 1024,
        "embedding_dim": 32,
        "downsample": [4, 4, 4],
        "image_gan_weight": 1.0,
        "video_gan_weight": 0.25,
        "gan_feat_weight": 4.0,
        "perceptual_weight": 0.2,
        "l1_weight": 2.0,
        "disc_loss_type": "hinge",
        "disc_channels": 32,
        "discriminator_iter_start": 5000,
    },
    "trainer": {"max_steps": 20000, "gpus": 2, "resume_from_checkpoint": "last.ckpt"},
    "train": {"batch_size": 4, "lr": "3e-4", "patch_size": [64, 64, 64]},
    "mystery": 3,
}


def converted(old=OLD, **asked):
    return convert_vqgan(old, {}, Asked(**asked), "old/ct.yaml")


def test_known_names_become_keys():
    experiment = converted().experiment
    assert experiment == {
        "kind": "vqgan",
        "dataset": "train",
        "seed": 7,
        "gpus": 2,
        "steps": 20000,
        "discriminator_iter_start": 5000,
        "adversarial": {
            "image_weight": 1.0, "volume_weight": 0.25, "feature_matching": 4.0, "loss": "hinge",
            "base_channels": 32,
        },
        "losses": {"perceptual": 0.2, "l1": 2.0},
        "model": {"codebook": {"num_codes": 1024, "code_dim": 32}, "downsample": [4, 4, 4]},
        "training": {"batch_size": 4, "learning_rate": 3e-4, "patch_size": 64},
    }  # fmt: skip
    assert validate(experiment, VqganExperiment, "here").model.codebook.num_codes == 1024


def test_every_value_is_accounted_for():
    conversion = converted()
    text = account_text(conversion)
    for name in ("n_hiddens", "resume_from_checkpoint", "mystery"):
        account = next(a for a in conversion.accounts if a.leaf.old.endswith(name))
        assert not account.carried
        assert name in text
    assert "only phase two is planned" in text
    assert "hu_window" in config_text(conversion)
    assert "max_patients: 50" in config_text(conversion)
    assert experiment_text(conversion, "ct.yaml", None).count("kind: vqgan") == 1


def test_such_files_are_known_by_their_names():
    assert is_vqgan(OLD)
    assert not is_vqgan({"diffusion": {"unet": {"depth": 4}}, "training": {"batch_size": 8}})


def test_an_entry_that_is_there_is_taken():
    conversion = converted(dataset="mine")
    assert conversion.experiment["dataset"] == "mine"
    assert conversion.config["datasets"] == {}


def test_without_a_manifest_there_is_nothing_to_pack():
    with pytest.raises(UserError, match="no manifest of volumes"):
        converted({"model": {"n_codes": 512}})


def test_of_two_values_for_one_key_the_first_counts():
    conversion = converted(OLD | {"lr": 1e-3})
    assert conversion.experiment["training"]["learning_rate"] == 3e-4
    assert any("counts" in account.remark for account in conversion.accounts)


def test_what_the_experiment_refuses_names_the_old_field():
    with pytest.raises(UserError, match="n_codes"):
        converted(OLD | {"model": OLD["model"] | {"n_codes": 1}})


def test_no_name_means_two_things():
    names = [old for field in VQGAN_FIELDS for old in field.old]
    names += [old for row in VQGAN_LEFT_OUT for old in row.old]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("field", VQGAN_FIELDS, ids=lambda f: f.new)
def test_every_key_exists(field):
    from sparring.settings.old_names.kinds import _has_key
    from sparring.settings.volumes import VolumeDataset

    kind, key = VqganExperiment, field.new
    if key.startswith("datasets.NAME."):
        kind, key = VolumeDataset, key.removeprefix("datasets.NAME.")
    assert field.new == "the file's name" or _has_key(kind, key)
