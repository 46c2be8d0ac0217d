"""Experiments with semantic losses: what they need, what is refused, which jobs they bring."""

import json

import pytest
from PIL import Image

from sparring.errors import UserError
from sparring.rounds import check_rounds, stage_settings
from sparring.rounds.listing import all_jobs
from sparring.settings.semantic import SemanticLoss

JUDGED = {"evaluation": {"feature_dim": 4}}


@pytest.fixture
def semantic(project):
    """Writes an experiment `exp` of kind finetune."""

    def write(name="exp", **keys):
        project._write(name, {"kind": "finetune", "start_from": "base"} | JUDGED | keys)

    return write


def manifest(project, classes):
    """A manifest dataset of the tiny layouts' size, with or without class names."""
    folder = project.folder / "data"
    (folder / "images").mkdir(parents=True)
    rows = ["layout_path,split"]
    for n in range(30):
        Image.new("RGB", (32, 32)).save(folder / "images" / f"{n}.png")
        rows.append(f"images/{n}.png,{'train' if n < 10 else 'val' if n < 12 else 'test'}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    if classes:
        (folder / "classes.json").write_text(json.dumps([{"id": 0, "name": "a", "rgb": [0, 0, 0]}]))
    project.config["datasets"]["real"] = {
        "kind": "manifest", "manifest": str(folder / "manifest.csv")
    }  # fmt: skip
    project.config["autoencoders"]["real_kl"] = {
        "dataset": "real", "block_out_channels": [8, 8, 8]
    }  # fmt: skip
    project.pretrain("base", dataset="real", autoencoder="real_kl")


def test_its_jobs_are_one_training_and_the_judging_of_start_and_result(project, semantic):
    semantic()
    jobs = list(all_jobs(project.load()))
    of_exp = [(rule, w.get("model")) for rule, w in jobs if w.get("experiment") == "exp"]
    assert sorted(of_exp, key=str) == sorted(
        [("finetune_semantic", None), ("summarise", None), ("compare_samples", None)]
        + [("compare_models", None), ("evaluate", "reals"), ("measure_layouts", "reals")]
        + [
            (rule, model)
            for rule in ("sample_evaluation", "evaluate", "measure_layouts")
            for model in ("start", "start_better_solver", "start_matched", "trained")
        ],
        key=str,
    )


@pytest.mark.parametrize("classes", [True, False])
def test_decoded_layouts_are_measured_with_and_without_classes(project, classes):
    manifest(project, classes)
    project.adversarial()
    rules = [rule for rule, w in all_jobs(project.load()) if w.get("model") == "start"]
    assert "measure_layouts" in rules


def test_all_arms_have_the_semantic_losses(project):
    """So that only the discriminator tells them apart."""
    project.adversarial(semantic={"segmentation_weight": 0.2})
    rounds = project.load()
    place = {"experiment": "exp", "iteration": "0"}
    arms = [
        stage_settings(rounds, "finetune_diffusion", place | {"arm": arm})
        for arm in rounds.arms("exp")
    ]
    assert [arm.semantic for arm in arms] == [SemanticLoss(segmentation_weight=0.2)] * 3
    assert [arm.adversarial is None for arm in arms] == [False, True, True]


def test_without_the_key_nothing_is_planned_again(project):
    """The settings of experiments from before semantic losses existed stay as they were."""
    project.adversarial()
    place = {"experiment": "exp", "arm": "control", "iteration": "0"}
    text = stage_settings(project.load(), "finetune_diffusion", place).to_json()
    assert "semantic" not in text


def test_frozen_settings_are_read_back(project, semantic):
    semantic(semantic={"perceptual_weight": 0, "min_snr": 2.0}, diffusion={"epochs": 3})
    settings = stage_settings(project.load(), "finetune_semantic", {"experiment": "exp"})
    assert type(settings).from_json(settings.to_json(), "here") == settings


def test_rounds_may_start_from_it_and_take_their_first_fakes_elsewhere(project, semantic):
    semantic("taught")
    project.adversarial(start_from="taught", fakes_from="base")
    rounds = project.load()
    check_rounds(rounds)
    assert rounds.incoming_denoiser("exp", "control", 0) == project.results("taught/denoiser")
    assert rounds.fakes_denoiser("exp", 0) == project.results("base/denoiser")
    assert rounds.fakes_denoiser("exp", 1) == project.results(
        "exp/adversarial/iteration_0/denoiser"
    )


def test_it_has_no_iterations_to_refer_to(project, semantic):
    semantic("taught")
    project.adversarial(start_from="taught@1")
    assert "taught is a finetune experiment without iterations" in project.refusal()


def test_it_inherits_data_and_may_go_on_from_rounds(project, semantic):
    project.adversarial("rounds")
    semantic(start_from="rounds@1")
    rounds = project.load()
    check_rounds(rounds)
    assert rounds.data_of("exp") == ("tiny", "kl")
    assert rounds.start_denoiser("exp") == project.results(
        "rounds/adversarial/iteration_1/denoiser"
    )


def test_a_dataset_without_classes_is_refused_unless_the_term_is_off(project, semantic):
    manifest(project, classes=False)
    semantic()
    message = project.refusal()
    assert f"{project.file('exp')}: semantic.segmentation_weight is 0.1" in message
    assert "classes.json beside" in message
    semantic(semantic={"segmentation_weight": 0})
    check_rounds(project.load())


def test_an_autoencoder_without_the_head_is_refused(project, semantic):
    project.config["autoencoders"]["kl"]["segmentation_head"] = False
    semantic()
    assert "autoencoder kl has no segmentation head" in project.refusal()


@pytest.mark.parametrize("channels", [3, 13])
def test_a_given_autoencoder_tells_by_its_channels(project, semantic, channels):
    directory = project.model(
        "given", kind="AutoencoderKL", latent_channels=4, out_channels=channels,
        block_out_channels=[8, 8, 8],
    )  # fmt: skip
    project.config["autoencoders"]["kl"]["start_from"] = directory
    semantic()
    if channels == 3:
        assert "no segmentation head" in project.refusal()
    else:
        check_rounds(project.load())


def test_missing_vgg16_weights_are_refused_before_any_job(project, semantic):
    keys = {"perceptual_features": "vgg16", "vgg16_weights": "absent/vgg16.pth"}
    semantic(semantic=keys)
    message = project.refusal()
    assert "semantic.vgg16_weights: absent/vgg16.pth is missing" in message
    assert "curl -O" in message
    semantic(semantic=keys | {"perceptual_weight": 0})
    check_rounds(project.load())


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"semantic": {"perceptual_features": "vgg16"}}, "without vgg16_weights"),
        ({"semantic": {"segmentation": 0.1}}, "did you mean 'segmentation_weight'"),
        ({"semantic": {"min_snr": -1}}, "semantic.min_snr: found -1"),
        ({"semantic": {"decode_batch_size": 0}}, "semantic.decode_batch_size: found 0"),
        ({"semantic": {"vgg16_sha256": "xyz"}}, "semantic.vgg16_sha256"),
        ({"iterations": 2}, "unknown key 'iterations'"),
        (
            {
                "diffusion": {"noise_weight": 0},
                "semantic": {"segmentation_weight": 0, "perceptual_weight": 0},
            },
            "nothing would be learnt",
        ),
    ],
)
def test_bad_settings_name_file_and_key(project, semantic, keys, expected):
    semantic(**keys)
    with pytest.raises(UserError) as caught:
        project.load()
    assert expected in str(caught.value)
    assert project.file("exp") in str(caught.value)


def test_too_few_held_out_layouts_to_judge_by_are_refused(project, semantic):
    semantic(evaluation={"feature_dim": 100})
    assert "evaluation.feature_dim is 100" in project.refusal()
