"""Steps, shards and wall times that cannot work are refused before anything is queued."""

import re

import pytest

from sparring.errors import UserError
from sparring.rounds import check_gpus, check_rounds, check_wall_time


def test_more_sampler_steps_than_timesteps_are_refused(project):
    project.pretrain("base", noise_schedule={"num_timesteps": 50}, diffusion={"sample_interval": 0})
    project.adversarial(sampling={"num_steps": 60}, diffusion={"sample_interval": 0})
    message = project.refusal()
    assert "sampling.num_steps is 60, but the noise schedule has only 50 timesteps" in message
    assert "set at most 50" in message
    project.adversarial(sampling={"num_steps": 50}, diffusion={"sample_interval": 0})
    assert "evaluation.better_solver.num_steps is 100" in project.refusal()
    same = {"num_steps": 50, "sampler": "ddim"}  # as the start: there is no such baseline
    project.adversarial(
        sampling=same, evaluation={"better_solver": same}, diffusion={"sample_interval": 0}
    )
    check_rounds(project.load())


def test_more_grid_steps_than_timesteps_are_refused_unless_no_grid_is_drawn(project):
    few = {"num_timesteps": 15}
    project.pretrain("base", noise_schedule=few)
    assert "diffusion.sample_grid.num_steps is 50" in project.refusal("base")
    project.pretrain("base", noise_schedule=few, diffusion={"sample_interval": 0})
    check_rounds(project.load("base"))


@pytest.mark.parametrize(("count", "size", "batches"), [(20, 4, 5), (17, 4, 5), (3, 8, 1)])
def test_more_shards_than_batches_are_refused(project, count, size, batches):
    """A shard takes whole batches, so that no latent depends on the number of shards."""
    sampling = {"batch_size": size, "shards": batches + 1}
    project.adversarial(num_samples=count, sampling=sampling)
    message = project.refusal()
    assert f"{project.file('exp')}: sampling.shards is {batches + 1}" in message
    assert f"num_samples {count} in batches of {size} gives only {batches}" in message
    assert f"set shards: {batches} or a smaller sampling.batch_size" in message
    project.adversarial(num_samples=count, sampling=sampling | {"shards": batches})
    check_rounds(project.load())


def test_an_override_to_fewer_samples_counts_for_shards(project):
    sampling = {"batch_size": 4, "shards": 3}
    project.adversarial(sampling=sampling, overrides=[{"iteration": 2, "num_samples": 8}])
    assert "sampling.shards is 3, but num_samples 8" in project.refusal()


@pytest.mark.parametrize("runtime", [1, 10, 13])
def test_a_wall_time_without_time_to_save_once_is_refused(project, runtime):
    project.config |= {"checkpoint_minutes": 10, "wall_time_margin_minutes": 3}
    project.adversarial()
    with pytest.raises(UserError) as caught:
        check_wall_time(project.load(), "train_discriminator", runtime)
    message = str(caught.value)
    assert "\n" not in message
    assert f"train_discriminator: runtime is {runtime} min, not longer than" in message
    assert "checkpoint_minutes (10) and wall_time_margin_minutes (3) together" in message
    assert "lower them in config/config.yaml" in message


def test_the_wall_time_that_a_refusal_proposes_is_taken(project):
    project.adversarial()
    rounds = project.load()
    with pytest.raises(UserError) as caught:
        check_wall_time(rounds, "evaluate", 1)
    proposed = int(re.search(r"--set-resources evaluate:runtime=(\d+)", str(caught.value)).group(1))
    check_wall_time(rounds, "evaluate", proposed)


@pytest.mark.parametrize("runtime", [14, 1440, None])
def test_a_wall_time_with_time_to_save_or_none_is_taken(project, runtime):
    project.config |= {"checkpoint_minutes": 10, "wall_time_margin_minutes": 3}
    project.adversarial()
    check_wall_time(project.load(), "train_discriminator", runtime)


def test_more_gpus_than_the_run_may_use_are_refused(project):
    project.config |= {"device": "cuda", "gpus": 2}
    project.adversarial()
    with pytest.raises(UserError) as caught:
        check_gpus(project.load(), 1)
    message = str(caught.value)
    assert "\n" not in message
    assert "gpus is 2, but this run may use 1" in message
    assert "set gpus: 1, or gpu=2 in the profile" in message


@pytest.mark.parametrize(("device", "limit"), [("cuda", 2), ("cuda", None), ("cpu", 1)])
def test_gpus_that_the_run_has_or_does_not_need_are_taken(project, device, limit):
    project.config |= {"device": device, "gpus": 2}
    project.adversarial()
    check_gpus(project.load(), limit)


def test_a_tracker_whose_package_is_missing_is_refused_with_the_way_to_install_it(
    project, monkeypatch
):
    monkeypatch.setattr("sparring.rounds.checks.find_spec", lambda name: None)
    project.adversarial()
    check_rounds(project.load())
    project.config["tracker"] = "tensorboard"
    message = project.refusal()
    assert "config/config.yaml: tracker is 'tensorboard', but the package tensorboard" in message
    assert "pip install -e '.[tensorboard]'" in message
    assert "tracker: none" in message


def test_a_tracker_whose_package_is_there_is_accepted(project):
    project.adversarial()
    project.config["tracker"] = "tensorboard"
    check_rounds(project.load())


def test_no_more_steps_to_choose_the_epoch_by_than_there_are_timesteps(project):
    project.pretrain(noise_schedule={"num_timesteps": 50})
    few = {"sampling": {"num_steps": 9}, "evaluation": {"better_solver": {"num_steps": 20}}}
    project.adversarial(**few, diffusion={"selection_steps": 60})
    assert "diffusion.selection_steps is 60, but" in project.refusal()
    project.adversarial(**few, diffusion={"selection_steps": 60, "selection_samples": 0})
    check_rounds(project.load())
