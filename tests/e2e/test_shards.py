"""In how many jobs fakes are sampled, or batches, does not change them."""

import h5py
import numpy as np
import pytest
from workspace import digests, job

ITERATION = "results/micro/adversarial/iteration_0"
FAKES = f"{ITERATION}/fake_latents.h5"


def sharded(run, shards):
    """The finished run with the same sampling shared out."""
    run.experiments["micro"]["sampling"] |= {"shards": shards, "batch_size": 8}
    return run


@pytest.fixture(scope="module")
def sampled(shared_run, tmp_path_factory):
    """The fakes of an iteration, by number of shards; 64 of them in batches of 8."""
    made = {}
    for shards in (1, 4, 7):
        run = sharded(shared_run.copied(tmp_path_factory.mktemp("shards")), shards)
        done = run.snakemake("--cores", "2", "--keep-incomplete", FAKES)
        assert done.returncode == 0, done.stderr
        made[shards] = run
    return made


def test_any_number_of_shards_gives_the_same_bytes(sampled):
    assert (sampled[4] / FAKES).read_bytes() == (sampled[1] / FAKES).read_bytes()
    assert (sampled[7] / FAKES).read_bytes() == (sampled[1] / FAKES).read_bytes()


def test_shards_are_jobs_of_their_own_with_their_own_logs(sampled):
    logs = sampled[4] / "logs/micro/adversarial/iteration_0"
    for shard in range(4):
        log = (logs / f"sample_fake_shard_{shard}_of_4.log").read_text()
        assert "16 latents by dpmsolver++" in log


def test_another_batch_size_gives_the_same_up_to_rounding(sampled, shared_run):
    with h5py.File(sampled[1] / FAKES) as a, h5py.File(shared_run / FAKES) as b:
        first, second = (f["latents"][:].astype(np.float32) for f in (a, b))
        assert a["noise_index"][:].tolist() == b["noise_index"][:].tolist() == list(range(64))
    assert np.allclose(first, second, rtol=2e-3, atol=2e-3 * second.std())


def test_what_follows_unchanged_fakes_is_not_computed_again(sampled):
    """Snakemake plans it, for the fakes are new; the stage sees that they are the same."""
    run = sharded(sampled[4].copied(sampled[4].directory.parent / "followed"), 2)
    target = f"{ITERATION}/discriminator/config.json"
    before = run.snakemake("--cores", "1", target)  # of the eight-batched fakes
    assert before.returncode == 0, before.stderr
    trained = digests(run / f"{ITERATION}/discriminator")
    run = sharded(run, 4)
    after = run.snakemake("--cores", "1", target)
    assert after.returncode == 0, after.stderr
    assert "train_discriminator] finished before" in after.stderr
    assert digests(run / f"{ITERATION}/discriminator") == trained


def test_the_plan_names_every_shard(finished):
    sharded(finished, 2)
    planned = finished.plan(FAKES)
    place = {"experiment": "micro", "iteration": 0}
    shards = {job("sample_fake_shard", **place, shard=n, shards=2) for n in range(2)}
    assert planned == shards | {job("gather_fake", **place)}
