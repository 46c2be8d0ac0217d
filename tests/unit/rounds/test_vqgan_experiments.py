"""Experiments on volumes: what their jobs are told, what plans what, what is refused."""

import json

import pytest

from sparring.errors import UserError
from sparring.rounds import check_rounds, disk_needed, job_files, stage_settings
from sparring.rounds.listing import all_jobs

SMALL = {
    "kind": "vqgan",
    "dataset": "phantoms",
    "model": {"channels": [4, 8, 8], "blocks": [0, 0, 1]},
    "steps": 40,
    "discriminator_iter_start": 20,
    "training": {"patch_size": 16, "eval_interval": 10, "codebook": {"start_step": 5}},
    "adversarial": {"num_layers": 2},
    "inference": {"window": 16},
}


@pytest.fixture
def volumes(project):
    """The project with phantoms; `vol` takes keys in place of the small ones."""

    def write(name="vol", **keys):
        content = SMALL | keys
        project._write(name, {k: v for k, v in content.items() if v is not ...})

    project.config["datasets"]["phantoms"] = {"kind": "phantoms", "num_volumes": 6, "size": 32}
    project.vol = write
    write()
    return project


def settings(project, rule, *names, name="vol", **wildcards):
    loaded = project.load(*names or (name,))
    check_rounds(loaded)
    return json.loads(stage_settings(loaded, rule, {"experiment": name, **wildcards}).to_json())


def test_phases_share_out_the_steps(volumes):
    first = settings(volumes, "train_vqgan_reconstruction")
    second = settings(volumes, "train_vqgan_adversarial", phase="adversarial")
    assert (first["steps"], second["first_step"], second["steps"]) == (20, 20, 20)
    assert "total_steps" not in first


def test_the_control_differs_in_nothing_but_the_discriminators(volumes):
    phases = [
        settings(volumes, "train_vqgan_adversarial", phase=phase)
        for phase in ("adversarial", "control")
    ]
    assert phases[1].pop("adversarial", "left out") is None
    phases[0].pop("adversarial")
    assert phases[0] == phases[1]


@pytest.mark.parametrize(
    "keys",
    [
        {"steps": 60},
        {"adversarial": {"num_layers": 2, "image_weight": 0.3}},
        {"losses": {"perceptual": 0.5}},
        {"control": False},
        {"inference": {"window": 32}},
        {"adversarial": None, "steps": 20},
    ],
)
def test_what_only_phase_two_reads_leaves_phase_one_alone(volumes, keys):
    before = settings(volumes, "train_vqgan_reconstruction")
    volumes.vol(**keys)
    assert settings(volumes, "train_vqgan_reconstruction") == before


def test_a_cosine_runs_over_both_phases(volumes):
    volumes.vol(training=SMALL["training"] | {"lr_schedule": "cosine"})
    for rule in ("train_vqgan_reconstruction", "train_vqgan_adversarial"):
        assert settings(volumes, rule, phase="control")["total_steps"] == 40


def test_all_jobs_are_listed_in_an_order_that_works(volumes):
    jobs = [(rule, w.get("phase")) for rule, w in all_jobs(volumes.load("vol"))]
    assert jobs == [
        ("pack_volumes", None),
        ("train_vqgan_reconstruction", None),
        ("train_vqgan_adversarial", "adversarial"),
        ("train_vqgan_adversarial", "control"),
        *(
            (rule, phase)
            for phase in ("reconstruction", "adversarial", "control")
            for rule in ("reconstruct_volumes", "evaluate_vqgan")
        ),
        ("summarise_volumes", None),
    ]
    volumes.vol(adversarial=None)
    assert "train_vqgan_adversarial" not in [r for r, _ in all_jobs(volumes.load("vol"))]


def test_every_job_has_a_place_of_its_own(volumes):
    loaded = volumes.load("vol")
    places = [job_files(loaded, rule, w).log for rule, w in all_jobs(loaded)]
    assert len(set(places)) == len(places)


def test_layouts_and_volumes_stand_side_by_side(volumes):
    volumes.adversarial("exp")
    loaded = volumes.load("exp", "vol")
    check_rounds(loaded)
    rules = {rule for rule, _ in all_jobs(loaded)}
    assert {"pack_layouts", "pack_volumes", "finetune_diffusion", "evaluate_vqgan"} <= rules
    assert "free" in disk_needed(loaded, list(all_jobs(loaded)))


@pytest.mark.parametrize(
    ("text", "directory"),
    [("vol", "adversarial"), ("vol@control", "control"), ("vol@reconstruction", "reconstruction")],
)
def test_an_experiment_goes_on_from_a_phase_of_another(volumes, text, directory):
    from sparring.rounds import start_vqgan

    volumes.vol("more", start_from=text, model=...)
    loaded = volumes.load("more")
    check_rounds(loaded)
    assert start_vqgan(loaded, "more") == volumes.results(f"vol/{directory}/vqgan")
    assert [w["experiment"] for r, w in all_jobs(loaded) if r == "train_vqgan_reconstruction"] == [
        "more", "vol",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"discriminator_iter_start": 40}, "the discriminators would never begin"),
        ({"steps": 45}, "steps: 50"),
        ({"discriminator_iter_start": 25}, "discriminator_iter_start: 30"),
        ({"dataset": "unknown"}, "dataset is 'unknown'"),
        ({"dataset": "tiny"}, "volumes are wanted"),
        ({"training": SMALL["training"] | {"patch_size": 18}}, "not divisible by the model's"),
        ({"training": SMALL["training"] | {"patch_size": 64}}, "smaller than"),
        ({"inference": {"window": 18}}, "inference.window is 18, not divisible"),
        ({"adversarial": {"num_layers": 3}}, "halves to nothing; set at least 24"),
        ({"training": SMALL["training"] | {"codebook": {"start_step": 20}}}, "without codes"),
        ({"start_from": "vol2"}, "model is that of start_from"),
        ({"start_from": "base", "model": ...}, "base is of kind pretrain"),
        ({"start_from": "vol@2", "model": ...}, "name@control"),
        ({"start_from": "vol", "model": ...}, "cycle"),
        ({"start_from": "models/none", "model": ...}, "cannot be read"),
        ({"losses": {"perceptual_features": "vgg16", "vgg16_weights": "no.pth"}}, "is missing"),
    ],
)
def test_refusals_name_the_key_and_the_way_out(volumes, keys, said):
    volumes.vol(**keys)
    with pytest.raises(UserError, match=said) as caught:
        check_rounds(volumes.load("vol"))
    assert "\n" not in str(caught.value)


def test_a_phase_that_was_not_trained_is_no_start(volumes):
    volumes.vol(control=False)
    volumes.vol("more", start_from="vol@control", model=...)
    assert "has only reconstruction, adversarial" in volumes.refusal("more")


def test_an_experiment_on_layouts_cannot_start_from_volumes(volumes):
    volumes.adversarial("exp", start_from="vol")
    with pytest.raises(UserError, match="vol is of kind vqgan"):
        volumes.load("exp")


def test_a_directory_says_its_downsampling(volumes):
    directory = volumes.model("given", kind="VQGAN", downsample=[8, 8, 8])
    volumes.vol(start_from=directory, model=..., inference={"window": 12})
    assert "[8, 8, 8]" in volumes.refusal("vol")


def test_volumes_too_thin_to_be_judged_are_refused(volumes, monkeypatch):
    from sparring.data.volume_facts import VolumeFacts

    facts = [VolumeFacts(s, s, s, (32, 32, 32 if s != "test" else 8)) for s in ("train", "test")]
    monkeypatch.setattr("sparring.rounds.vqgan.volume_facts", lambda _: facts)
    assert "too small to be judged" in volumes.refusal("vol")


@pytest.mark.parametrize("package", ["monai", "nibabel"])
def test_a_missing_package_is_named_before_anything_is_trained(volumes, monkeypatch, package):
    monkeypatch.setattr(
        "sparring.rounds.vqgan.find_spec", lambda name: None if name == package else object()
    )
    assert f"needs the package {package}" in volumes.refusal("vol")


def test_discriminators_that_see_more_than_a_patch_are_warned_of(volumes):
    told = {}
    for size in (32, 48):
        volumes.vol(training=SMALL["training"] | {"patch_size": size}, inference={"window": 32})
        volumes.config["datasets"]["phantoms"]["size"] = 64
        loaded = volumes.load("vol")
        check_rounds(loaded)
        told[size] = [line for line in loaded.warnings if "see 34 voxels a side" in line]
    assert told[32]
    assert not told[48]
