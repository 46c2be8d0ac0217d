"""The JSON that decides which jobs are planned again."""

import json

import pytest
from stage_kinds import STAGE_KINDS

from sparring.errors import UserError
from sparring.settings.base import canonical_json
from sparring.settings.dataset import ManifestDataset, ProceduralDataset
from sparring.settings.experiment import ExperimentUnion
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import DiscriminatorSettings, FinetuneSettings
from sparring.settings.reading import validate
from sparring.settings.semantic import SemanticLoss
from sparring.settings.stages import (
    CompareModels,
    CompareSamples,
    EncodeLayouts,
    EncodeReal,
    Evaluate,
    ExportPipeline,
    FinetuneDiffusion,
    FinetuneSemantic,
    GatherFake,
    GuideDenoiser,
    MeasureLayouts,
    MeasureTime,
    PackLayouts,
    PretrainDiffusion,
    SampleEvaluation,
    SampleFake,
    SampleFakeShard,
    SelectBest,
    Summarise,
    TrainAutoencoder,
    TrainDiscriminator,
)
from sparring.settings.stages_by_hand import BuildDiscriminatorDataset, Decode, Sample
from sparring.settings.volume_stages import MeasureVolumes, PackVolumes, ReconstructVolume
from sparring.settings.volumes import PhantomDataset
from sparring.settings.vqgan_stages import (
    EncodeVolumes,
    EvaluateVqgan,
    ReconstructVolumes,
    SummariseVolumes,
    TrainVqganAdversarial,
    TrainVqganReconstruction,
)

EXAMPLES = [
    PackLayouts(dataset=ProceduralDataset(kind="procedural", size=32)),
    PackLayouts(
        dataset=ManifestDataset.model_validate_json(
            '{"kind": "manifest", "manifest": "data/manifest.csv", "augmented": "dihedral"}'
        )
    ),
    TrainAutoencoder.from_json(
        '{"stage": "train_autoencoder", "revision": 1, "autoencoder": {"dataset": "d", '
        '"block_out_channels": [8, 16]}}',
        "test",
    ),
    EncodeLayouts(),
    EncodeLayouts(
        dataset=ManifestDataset.model_validate_json(
            '{"kind": "manifest", "manifest": "data/manifest.csv", "latents": "manifest"}'
        )
    ),
    PretrainDiffusion(seed=1),
    EncodeReal(seed=1, iteration=2, num_samples=3),
    SampleFake(seed=1, iteration=2, num_samples=3),
    SampleFakeShard(seed=1, iteration=2, num_samples=3, shard=0, shards=2),
    GatherFake(batch_size=32),
    TrainDiscriminator(seed=1, iteration=2, discriminator=DiscriminatorSettings(epochs=3)),
    FinetuneDiffusion(seed=1, iteration=2, diffusion=FinetuneSettings(learning_rate=1e-5)),
    FinetuneDiffusion(
        seed=1, iteration=2, adversarial=AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1.0))
    ),
    FinetuneDiffusion(seed=1, iteration=2, semantic=SemanticLoss()),
    FinetuneSemantic(seed=1, semantic=SemanticLoss(min_snr=0.5)),
    MeasureLayouts(seed=1),
    MeasureVolumes(seed=1, num_samples=9),
    SampleEvaluation(seed=1, num_samples=8),
    Evaluate(),
    CompareSamples(grid=4),
    SelectBest(),
    CompareModels(),
    Summarise(),
    BuildDiscriminatorDataset(dataset=ProceduralDataset(kind="procedural", size=32)),
    Sample(num_samples=3),
    Decode(grid=4),
    ExportPipeline(),
    PackVolumes(dataset=PhantomDataset(kind="phantoms")),
    TrainVqganReconstruction(seed=1, steps=6),
    TrainVqganAdversarial(seed=1, steps=6),
    ReconstructVolumes(split="test"),
    ReconstructVolume(),
    MeasureTime(epochs=7, usual_ratio=3.0),
    GuideDenoiser(guidance_weight=0.5, timesteps=(0.0, 0.9)),
    EvaluateVqgan(),
    EncodeVolumes(),
    SummariseVolumes(),
]


def pretrain_json(diffusion: dict) -> str:
    """Stage 1's JSON as it follows from an experiment file."""
    keys = {"kind": "pretrain", "dataset": "d", "autoencoder": "a", "diffusion": diffusion}
    e = validate(keys, ExperimentUnion, "exp.yaml")
    return PretrainDiffusion(seed=e.seed, diffusion=e.diffusion).to_json()


def test_every_stage_has_an_example_and_a_name_of_its_own():
    assert {type(example) for example in EXAMPLES} == set(STAGE_KINDS)
    assert len({kind.stage for kind in STAGE_KINDS}) == len(STAGE_KINDS)


@pytest.mark.parametrize("settings", EXAMPLES, ids=lambda s: s.stage)
def test_a_stage_reads_back_what_it_wrote(settings):
    text = settings.to_json()
    again = type(settings).from_json(text, "job.json")
    assert again == settings
    assert again.to_json() == text


@pytest.mark.parametrize("settings", EXAMPLES, ids=lambda s: s.stage)
def test_the_json_does_not_depend_on_the_order_of_its_keys(settings):
    """A job file may be pretty-printed or sorted otherwise; the settings are the same."""
    shuffled = json.dumps(dict(reversed(json.loads(settings.to_json()).items())), indent=2)
    assert type(settings).from_json(shuffled, "job.json").to_json() == settings.to_json()


def test_key_order_in_an_experiment_is_irrelevant():
    one = pretrain_json({"batch_size": 8, "learning_rate": 1e-3})
    other = pretrain_json({"learning_rate": 1e-3, "batch_size": 8})
    assert one == other


def test_values_equal_to_their_default_are_left_out():
    """So a new key with a default does not plan finished work again."""
    assert pretrain_json({"epochs": 200, "batch_size": 32}) == pretrain_json({})
    assert json.loads(pretrain_json({})) == {
        "stage": "pretrain_diffusion",
        "revision": 1,
        "seed": 42,
    }


def test_whole_numbers_are_alike_with_and_without_a_point_for_float_keys():
    assert pretrain_json({"max_grad_norm": 5}) == pretrain_json({"max_grad_norm": 5.0})
    assert pretrain_json({"weight_decay": 0}) == pretrain_json({"weight_decay": 0.0})
    assert pretrain_json({"learning_rate": "1e-3"}) == pretrain_json({"learning_rate": 0.001})


def test_swapping_two_values_changes_the_json():
    """Snakemake's own comparison is of a set of values, which a swap leaves as it was."""
    one = pretrain_json({"eval_interval": 3, "sample_interval": 4})
    other = pretrain_json({"eval_interval": 4, "sample_interval": 3})
    assert one != other


def test_the_objective_s_presence_shows_even_with_all_its_keys_at_their_defaults():
    with_term = FinetuneDiffusion(seed=1, iteration=0, adversarial=AdversarialLoss())
    without = FinetuneDiffusion(seed=1, iteration=0)
    assert with_term.to_json() != without.to_json()
    assert FinetuneDiffusion.from_json(with_term.to_json(), "x").adversarial == AdversarialLoss()


def test_canonical_json_is_one_line_sorted_and_without_nan():
    assert canonical_json({"b": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_raised_revision_changes_the_json(monkeypatch):
    before = EncodeLayouts().to_json()
    monkeypatch.setattr(EncodeLayouts, "revision", 2)
    assert EncodeLayouts().to_json() != before


def refusal(kind, text: str) -> str:
    with pytest.raises(UserError) as caught:
        kind.from_json(text, "state/job.json")
    assert "\n" not in str(caught.value)
    assert "state/job.json" in str(caught.value)
    return str(caught.value)


def test_the_settings_of_another_stage_or_revision_are_refused(monkeypatch):
    message = refusal(SampleFake, EncodeReal(seed=1, iteration=0, num_samples=2).to_json())
    assert "stage 'encode_real' revision 1, expected 'sample_fake' revision 1" in message
    old = EncodeLayouts().to_json()
    monkeypatch.setattr(EncodeLayouts, "revision", 2)
    assert "revision 1, expected 'encode_layouts' revision 2" in refusal(EncodeLayouts, old)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "not valid JSON"),
        ("[]", "settings are [], expected keys and values"),
        ('"x"', "expected keys and values"),
        ("{}", "settings are for stage None revision None, expected 'encode_layouts'"),
        ('{"stage":"encode_layouts","revision":1,"batch":3}', "unknown key 'batch'"),
        ('{"stage":"encode_layouts","revision":1,"batch_size":0}', "batch_size: found 0"),
    ],
)
def test_what_is_no_settings_of_the_stage_is_refused_in_one_line(text, expected):
    assert expected in refusal(EncodeLayouts, text)
