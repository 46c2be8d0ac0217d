"""Which jobs are planned, to the job: what an edit replans, and what it leaves alone."""

import os
from pathlib import Path

import pytest
from workspace import job

from sparring.settings.autoencoder import AutoencoderLosses

DATA = {
    job("pack_layouts", dataset="tiny"),
    job("train_autoencoder", autoencoder="tiny"),
    job("encode_layouts", dataset="tiny", autoencoder="tiny"),
}
ARMS = ("adversarial", "control")
STARTS = ("start", "start_better_solver", "start_matched")


def start(name):
    """The jobs of a pretrain experiment."""
    return {job("pretrain_diffusion", experiment=name)}


def verdicts(name):
    """The jobs that look at all models of an experiment at once."""
    rules = ("compare_models", "summarise", "select_best", "compare_samples")
    return {job(rule, experiment=name) for rule in rules}


def null(name):
    """The jobs that judge training layouts as if they were samples."""
    return {job(rule, experiment=name, model="reals") for rule in ("evaluate", "measure_layouts")}


def judged(name, model):
    """The jobs that judge one model."""
    rules = ("sample_evaluation", "evaluate", "measure_layouts")
    return {job(rule, experiment=name, model=model) for rule in rules}


def begun(name):
    """The jobs that judge the start: its samples, those of a better solver, and matched ones."""
    return set().union(*(judged(name, model) for model in STARTS))


def finetuned(name, arm, n):
    """One arm's iteration from its fine-tuning on."""
    jobs = judged(name, f"{arm}/iteration_{n}")
    return jobs | {job("finetune_diffusion", experiment=name, arm=arm, iteration=n)}


def sparred(name, n):
    """One iteration's reals, fakes and discriminator."""
    rules = ("encode_real", "sample_fake", "train_discriminator")
    return {job(rule, experiment=name, iteration=n) for rule in rules}


def rounds(name, iterations, arms=ARMS):
    """Whole iterations with their evaluations."""
    jobs = set()
    for n in iterations:
        jobs |= sparred(name, n)
        for arm in arms:
            jobs |= finetuned(name, arm, n)
    return jobs


class TestFresh:
    def test_everything_is_planned(self, workspace):
        expected = DATA | start("base") | rounds("micro", range(2))
        expected |= begun("micro") | verdicts("micro") | null("micro")
        assert workspace.plan() == expected

    def test_control_false_drops_exactly_the_control_arm(self, workspace):
        both = workspace.plan()
        workspace.experiments["micro"]["control"] = False
        dropped = finetuned("micro", "control", 0) | finetuned("micro", "control", 1)
        assert both - workspace.plan() == dropped
        assert workspace.plan() <= both

    def test_two_experiments_share_data_and_start(self, workspace):
        workspace.experiments["other"] = workspace.experiments["micro"] | {"seed": 7}
        workspace.config["experiments"] = ["micro", "other"]
        expected = DATA | start("base")
        for name in ("micro", "other"):
            expected |= rounds(name, range(2)) | begun(name) | verdicts(name)
            expected |= null(name)
        assert workspace.plan() == expected

    def test_a_later_experiment_brings_the_one_it_starts_from(self, workspace):
        """`micro@0` needs the first iteration of micro's adversarial arm and nothing else of it."""
        later = workspace.experiments["micro"] | {"start_from": "micro@0", "iterations": 1}
        workspace.experiments["later"] = later
        workspace.config["experiments"] = ["later"]
        entering = {
            job("finetune_diffusion", experiment="micro", arm="adversarial", iteration=0),
            *sparred("micro", 0),
        }
        expected = DATA | start("base") | entering | rounds("later", [0])
        expected |= begun("later") | verdicts("later") | null("later")
        assert workspace.plan() == expected

    @pytest.mark.parametrize("moments", ["keep", "match"])
    @pytest.mark.parametrize("shards", [1, 2])
    def test_train_latents_are_named_where_moments_are_matched(self, workspace, moments, shards):
        micro = workspace.experiments["micro"]
        micro["sampling"] |= {"moments": moments, "shards": shards}
        told = {
            rule
            for (rule, _), command in workspace.commands().items()
            if " --reference results/latents/tiny-tiny/train.h5" in command
        }
        matched = {"sample_evaluation", "sample_fake" if shards == 1 else "gather_fake"}
        always = {"evaluate", "sample_evaluation"}  # the latter of the model start_matched
        assert told == always | (matched if moments == "match" else set())

    def test_a_dry_run_writes_nothing(self, workspace):
        workspace.plan()
        written = {path.name for path in workspace.directory.iterdir()}
        assert written <= {".snakemake", "config.yaml", "experiments"}


class TestNothingPlanned:
    """Edits that change no result."""

    def test_nothing_changed(self, finished):
        assert finished.plan() == set()

    def test_defaults_written_out(self, finished):
        """So a new key with a default cannot replan work that was finished before it existed."""
        micro, base = finished.experiments["micro"], finished.experiments["base"]
        micro |= {"seed": 42, "control": True, "allow_fewer_reals": False, "overrides": []}
        micro["adversarial"] = {"objective": "x0_bce", "weight": 0.1, "timesteps": [0, 0.2]}
        micro["diffusion"]["ema_decay"] = 0.999
        micro["discriminator"]["plateau_patience"] = 5
        micro["discriminator"] |= {"replay": 0, "r1": 0, "online": False, "weight_decay": 0}
        base["noise_schedule"] = {"schedule": "linear", "beta_end": 0.02}
        finished.config["autoencoders"]["tiny"]["losses"] = {"kl": AutoencoderLosses().kl}
        finished.config["datasets"]["tiny"]["seed"] = 42
        assert finished.plan() == set()

    def test_reordered_keys_and_other_spellings_of_a_number(self, finished):
        def backwards(value):
            if isinstance(value, dict):
                return {key: backwards(value[key]) for key in reversed(value)}
            return value

        finished.config = backwards(finished.config)
        finished.experiments = {k: backwards(v) for k, v in finished.experiments.items()}
        micro = finished.experiments["micro"]
        micro["diffusion"] |= {"learning_rate": "5e-5", "max_grad_norm": 1}
        micro["adversarial"] |= {"timesteps": [0, 2e-1], "weight": "1e-1"}
        assert finished.plan() == set()

    def test_device_precision_and_checkpoint_interval(self, finished):
        """How a job is run is not what it computes: a GPU need not redo what a CPU finished."""
        finished.config |= {"device": "cuda", "precision": "bf16", "checkpoint_minutes": 1.5}
        finished.config["tracker"] = "tensorboard"
        assert finished.plan() == set()

    def test_an_edit_taken_back(self, finished):
        finished.experiments["micro"]["seed"] = 7
        assert finished.plan() != set()
        del finished.experiments["micro"]["seed"]
        assert finished.plan() == set()

    def test_a_touched_but_equal_file(self, finished_copy):
        """Also above 1 MB, Snakemake's default limit for comparing contents."""
        weights = "base/denoiser/diffusion_pytorch_model.safetensors"
        touched = [
            finished_copy / "results" / name
            for name in ("datasets/tiny/layouts.h5", "latents/tiny-tiny/train.h5", weights)
        ]
        assert touched[-1].stat().st_size > 1_000_000
        for path in touched:
            os.utime(path)
        assert finished_copy.plan() == set()


class TestReplanned:
    """Edits that change results: exactly what follows from them."""

    def test_discriminator_epochs_of_one_iteration(self, finished):
        override = {"iteration": 1, "discriminator": {"epochs": 3}}
        finished.experiments["micro"]["overrides"] = [override]
        assert finished.plan() == (
            {job("train_discriminator", experiment="micro", iteration=1)}
            | finetuned("micro", "adversarial", 1)
            | verdicts("micro")
        )

    def test_more_iterations(self, finished):
        finished.experiments["micro"]["iterations"] = 4
        assert finished.plan() == rounds("micro", [2, 3]) | verdicts("micro")

    def test_adversarial_weight_leaves_the_control_alone(self, finished):
        finished.experiments["micro"]["adversarial"]["weight"] = 0.2
        after_first = sparred("micro", 1) - {job("encode_real", experiment="micro", iteration=1)}
        assert finished.plan() == (
            after_first
            | finetuned("micro", "adversarial", 0)
            | finetuned("micro", "adversarial", 1)
            | verdicts("micro")
        )

    def test_a_new_seed_leaves_data_start_and_its_evaluation_alone(self, finished):
        finished.experiments["micro"]["seed"] = 7
        assert finished.plan() == rounds("micro", range(2)) | verdicts("micro")

    def test_swapped_values_are_seen(self, finished):
        """Snakemake compares parameters as a set; two values that change places must show."""
        grid = finished.experiments["micro"]["diffusion"]["sample_grid"]
        grid["num_samples"], grid["num_steps"] = grid["num_steps"], grid["num_samples"]
        expected = rounds("micro", range(2)) | verdicts("micro")
        unchanged = {job("encode_real", experiment="micro", iteration=n) for n in range(2)} | {
            job(rule, experiment="micro", iteration=0)
            for rule in ("sample_fake", "train_discriminator")
        }
        assert finished.plan() == expected - unchanged

    def test_the_picture_grid_replans_the_picture(self, finished):
        finished.experiments["micro"]["evaluation"]["grid"] = 5
        assert finished.plan() == {job("compare_samples", experiment="micro")}

    def test_figures_of_the_evaluation_need_no_new_samples(self, finished):
        finished.experiments["micro"]["evaluation"]["judge_seeds"] = 3
        models = ["reals", *STARTS, *(f"{arm}/iteration_{n}" for arm in ARMS for n in range(2))]
        evaluated = {job("evaluate", experiment="micro", model=model) for model in models}
        picture = {job("compare_samples", experiment="micro")}
        assert finished.plan() == evaluated | verdicts("micro") - picture

    def test_control_switched_off_redoes_only_what_compares(self, finished):
        finished.experiments["micro"]["control"] = False
        assert finished.plan() == verdicts("micro")

    def test_another_better_solver_samples_its_baseline_again(self, finished):
        finished.experiments["micro"]["evaluation"]["better_solver"] = {"num_steps": 50}
        expected = judged("micro", "start_better_solver") | verdicts("micro")
        assert finished.plan() == expected - {job("compare_samples", experiment="micro")}

    def test_a_second_experiment_from_the_same_start(self, finished):
        finished.experiments["other"] = finished.experiments["micro"] | {"seed": 7}
        finished.config["experiments"] = ["micro", "other"]
        expected = rounds("other", range(2)) | begun("other") | verdicts("other")
        assert finished.plan() == expected | null("other")

    def test_two_more_seeds_plan_their_own_arms_and_the_verdict(self, finished):
        """What is finished was trained with the first of them."""
        finished.experiments["micro"]["seeds"] = [42, 43, 44]
        expected = rounds("micro__seed_43", range(2)) | rounds("micro__seed_44", range(2))
        picture = {job("compare_samples", experiment="micro")}
        assert finished.plan() == expected | verdicts("micro") - picture

    def test_a_changed_intermediate_is_made_good(self, finished_copy):
        """Unlike a touched file, other contents do replan what reads them."""
        path: Path = finished_copy / "results/micro/adversarial/iteration_1/fake_latents.h5"
        path.write_bytes(path.read_bytes()[::-1])
        assert finished_copy.plan() == (
            {job("train_discriminator", experiment="micro", iteration=1)}
            | finetuned("micro", "adversarial", 1)
            | verdicts("micro")
        )
