"""Samples with the train latents' moments: in one job or in shards, resumed, refused, exported."""

import numpy as np
import pytest

from sparring.artefacts.latents import latents_info, read_latents, writing_latents
from sparring.artefacts.models import save_model
from sparring.errors import UserError
from sparring.models.autoencoder import autoencoder_digest, build_autoencoder
from sparring.models.denoiser import build_denoiser, build_scheduler, save_denoiser
from sparring.models.moments import batches_in, moments_of
from sparring.randomness import seeded_initialisation
from sparring.settings.autoencoder import AutoencoderSettings
from sparring.settings.parts import DenoiserSettings, NoiseScheduleSettings, SamplingSettings
from sparring.settings.stages import GatherFake, SampleEvaluation, SampleFake, SampleFakeShard
from sparring.stages.data import gather_fake
from sparring.stages.exchange import pipeline_matching
from sparring.stages.job import Job
from sparring.stages.sampling import Models, sample_evaluation, sample_fake, sample_fake_shard
from sparring.training.state import PartsState

CONTENT = {"device": "cpu", "precision": "fp32"}
COUNT, SIZE = 7, 2  # the last batch is smaller


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A denoiser, an autoencoder and train latents of other means and spreads."""
    folder = tmp_path_factory.mktemp("models")
    settings = AutoencoderSettings(
        dataset="d", block_out_channels=(8, 8), norm_num_groups=4, latent_channels=2
    )
    with seeded_initialisation(0, "matched"):
        save_model(build_autoencoder(settings, 4, 32), folder / "autoencoder")
        denoiser = build_denoiser(DenoiserSettings(preset="unet_tiny"), 2, 16)
    save_denoiser(folder / "denoiser", denoiser, build_scheduler(NoiseScheduleSettings()))
    attributes = {
        "kind": "latents",
        "autoencoder_digest": autoencoder_digest(folder / "autoencoder"),
    }
    spread = np.array([0.5, 2.0]).reshape(1, 2, 1, 1)
    with writing_latents(folder / "train.h5", 20, attributes) as writer:
        writer.append(np.random.default_rng(0).normal(1.5, spread, size=(20, 2, 16, 16)))
    return Models(folder / "denoiser", folder / "autoencoder", reference=folder / "train.h5")


def sampling(**keys):
    return SamplingSettings(num_steps=2, batch_size=SIZE, **keys)


def job_of(settings, folder):
    return Job(settings, folder / "state" / "job.json", CONTENT, digest="d")


def evaluation(folder, models, **keys):
    settings = SampleEvaluation(seed=1, num_samples=COUNT, sampling=sampling(**keys))
    sample_evaluation(job_of(settings, folder), models, folder / "evaluation.h5")
    return folder / "evaluation.h5"


def fakes(folder, models, **keys):
    settings = SampleFake(seed=1, iteration=0, num_samples=COUNT, sampling=sampling(**keys))
    sample_fake(job_of(settings, folder), models, folder / "fake.h5")
    return folder / "fake.h5"


def shard(folder, models, number, shards, **keys):
    settings = SampleFakeShard(
        seed=1, iteration=0, num_samples=COUNT, sampling=sampling(**keys), shard=number,
        shards=shards,
    )  # fmt: skip
    folder = folder / str(number)
    sample_fake_shard(job_of(settings, folder), models, folder / "fake.h5")
    return folder / "fake.h5"


def assert_same_moments(path, reference):
    """As far as half precision goes."""
    found, wanted = (moments_of(batches_in(file)) for file in (path, reference))
    np.testing.assert_allclose(found.mean, wanted.mean, atol=1e-3)
    np.testing.assert_allclose(found.std, wanted.std, rtol=1e-3)


def test_the_file_has_the_train_latents_moments_and_says_so(tmp_path, models):
    kept, matched = (
        evaluation(tmp_path / word, models, moments=word) for word in ("keep", "match")
    )
    assert_same_moments(matched, models.reference)
    assert [latents_info(path).attributes["moments"] for path in (kept, matched)] == [
        "keep",
        "match",
    ]
    raw, made = (read_latents(path).astype(np.float64) for path in (kept, matched))
    assert made.dtype == raw.dtype
    for channel in range(2):  # nothing but a scale and a shift
        assert np.corrcoef(raw[:, channel].ravel(), made[:, channel].ravel())[0, 1] > 0.99999


def test_an_interrupted_job_writes_the_same_bytes(tmp_path, models, monkeypatch):
    undisturbed = evaluation(tmp_path / "a", models, moments="match")
    save = PartsState.save

    def die_at_the_third(self, part, array):
        if part == 2:
            raise KeyboardInterrupt
        save(self, part, array)

    with monkeypatch.context() as patch:
        patch.setattr(PartsState, "save", die_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            evaluation(tmp_path / "b", models, moments="match")
    resumed = evaluation(tmp_path / "b", models, moments="match")
    assert resumed.read_bytes() == undisturbed.read_bytes()


@pytest.mark.parametrize("moments", ["keep", "match"])
def test_shards_are_raw_and_gathered_as_one_job_would_write_them(tmp_path, models, moments):
    whole = fakes(tmp_path, models, moments=moments)
    shards = [shard(tmp_path, models, n, 3) for n in range(3)]
    assert {latents_info(path).attributes["moments"] for path in shards} == {"keep"}
    gathered = tmp_path / "gathered.h5"
    job = job_of(GatherFake(batch_size=SIZE, moments=moments), tmp_path)
    gather_fake(job, shards, gathered, models.reference if moments == "match" else None)
    assert gathered.read_bytes() == whole.read_bytes()


def test_a_shard_is_not_matched_by_itself(tmp_path, models):
    with pytest.raises(UserError, match="give gather_fake moments: match and --reference"):
        shard(tmp_path, models, 0, 2, moments="match")


def test_matching_without_the_train_latents_is_refused_before_sampling(
    tmp_path, models, monkeypatch
):
    alone = Models(models.denoiser, models.autoencoder)
    monkeypatch.setattr(PartsState, "save", lambda *_: pytest.fail("sampled"))
    with pytest.raises(UserError, match="moments is 'match', but --reference is missing"):
        evaluation(tmp_path, alone, moments="match")


def test_train_latents_of_another_autoencoder_are_refused(tmp_path, models):
    path = tmp_path / "other.h5"
    with writing_latents(path, 1, {"kind": "latents", "autoencoder_digest": "abc"}) as writer:
        writer.append(np.zeros((1, 2, 16, 16)))
    other = Models(models.denoiser, models.autoencoder, reference=path)
    with pytest.raises(UserError, match="autoencoder abc"):
        evaluation(tmp_path, other, moments="match")


def test_a_pipeline_s_matching_is_that_of_its_samples(tmp_path, models):
    kept, matched = (
        evaluation(tmp_path / word, models, moments=word) for word in ("keep", "match")
    )
    found = pipeline_matching(models.denoiser, models.autoencoder, kept, models.reference)
    np.testing.assert_array_equal(
        found(read_latents(kept)).astype(np.float16), read_latents(matched)
    )


def test_a_pipeline_is_not_matched_by_samples_that_do_not_say_how(tmp_path, models):
    matched = evaluation(tmp_path / "match", models, moments="match")
    of_models = models.denoiser, models.autoencoder
    for samples, reference, said in (
        (None, models.reference, "--samples is missing"),
        (matched, None, "--reference is missing"),
        (matched, models.reference, "matched already"),
        (models.reference, models.reference, "samples of denoiser unknown"),
    ):
        with pytest.raises(UserError, match=said):
            pipeline_matching(*of_models, samples, reference)
