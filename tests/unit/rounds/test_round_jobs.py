"""What each job is told: only what it depends on, frozen when the run begins."""

import json
from pathlib import Path

import pytest

from sparring.artefacts.finished import Finished
from sparring.rounds import ARMS, disk_needed, forget_work, freeze_job, job_files, stage_settings
from sparring.settings import stages
from sparring.stages.job import StageParser, run_job

ITERATION_RULES = ("encode_real", "sample_fake", "train_discriminator", "finetune_diffusion")


def all_settings(rounds) -> dict[tuple[str, ...], str]:
    """The JSON of every job that the experiments have."""
    jobs = {}

    def add(rule, **wildcards):
        key = (rule, *wildcards.values())
        jobs[key] = stage_settings(rounds, rule, wildcards).to_json()

    for name in rounds.config.datasets:
        add("pack_layouts", dataset=name)
    for name in rounds.config.autoencoders:
        add("train_autoencoder", autoencoder=name)
    add("encode_layouts", dataset="tiny", autoencoder="kl")
    add("pretrain_diffusion", experiment="base")
    for n in range(rounds.adversarial("exp").iterations):
        for rule in ITERATION_RULES[:3]:
            add(rule, experiment="exp", iteration=str(n))
        add("measure_time", experiment="exp", iteration=str(n))
        for arm in rounds.arms("exp"):
            add("finetune_diffusion", experiment="exp", arm=arm, iteration=str(n))
    for model in rounds.models("exp"):
        add("sample_evaluation", experiment="exp", model=model)
    for model in ("reals", *rounds.models("exp")):
        add("evaluate", experiment="exp", model=model)
        add("measure_layouts", experiment="exp", model=model)
    for rule in ("compare_models", "compare_samples", "select_best", "summarise"):
        add(rule, experiment="exp")
    return jobs


def changed(project, **keys) -> set[tuple[str, ...]]:
    """Jobs of experiment `exp` whose settings change with some keys; no job comes or goes."""
    project.adversarial()
    before = all_settings(project.load())
    project.adversarial(**keys)
    after = all_settings(project.load())
    assert before.keys() == after.keys()
    return {job for job in before if before[job] != after[job]}


def test_an_override_of_one_iteration_s_discriminator_changes_that_job_alone(project):
    overrides = [{"iteration": 1, "discriminator": {"epochs": 20}}]
    assert changed(project, overrides=overrides) == {("train_discriminator", "exp", "1")}


def test_an_override_of_one_iteration_s_fine_tuning_changes_all_arms_of_it(project):
    """The control gets the same number of updates, and that of equal time at least as many."""
    overrides = [{"iteration": 2, "diffusion": {"epochs": 20}}]
    assert changed(project, overrides=overrides) == {
        *(("finetune_diffusion", "exp", arm, "2") for arm in ARMS),
        ("measure_time", "exp", "2"),
    }


def test_an_override_equal_to_what_holds_anyway_changes_nothing(project):
    assert changed(project, overrides=[{"iteration": 1, "discriminator": {"epochs": 50}}]) == set()


def test_a_new_seed_changes_every_draw_of_its_experiment_and_nothing_else(project):
    rules = {job[0] for job in changed(project, seed=7)}
    # judging keeps its own seed, the same noise for all; the table says which seed trained
    assert rules == {*ITERATION_RULES, "summarise"}
    assert len(changed(project, seed=7)) == 3 * 3 + 3 * 3 + 1


@pytest.mark.parametrize(
    ("keys", "rules"),
    [
        ({"num_samples": 30}, {"encode_real", "sample_fake"}),
        ({"allow_fewer_reals": True}, {"encode_real"}),
        ({"sampling": {"num_steps": 9}}, {"sample_fake", "sample_evaluation"}),
        ({"discriminator": {"base_channels": 8}}, {"train_discriminator"}),
        ({"discriminator": {"warm_start": True}}, set()),  # which file enters is an input
        ({"discriminator": {"reals": "originals"}}, {"encode_real"}),
        ({"diffusion": {"selection_samples": 0}}, {"finetune_diffusion"}),
        ({"diffusion": {"epochs": 3}}, {"finetune_diffusion", "measure_time"}),
        ({"diffusion": {"learning_rate": 1e-3}}, {"finetune_diffusion"}),
        ({"evaluation": {"better_solver": {"num_steps": 9}}}, {"sample_evaluation"}),
        ({"evaluation": {"num_samples": 64}}, {"sample_evaluation", "evaluate"}),
        ({"evaluation": {"judge_seeds": 3}}, {"evaluate", "compare_models"}),
        ({"evaluation": {"feature_dim": 3}}, {"evaluate"}),
        ({"evaluation": {"decoded": 50}}, {"measure_layouts"}),
        ({"evaluation": {"grid": 5}}, {"compare_samples"}),
        (
            {"evaluation": {"seed": 5}},
            {"sample_evaluation", "evaluate", "measure_layouts", "compare_models"},
        ),
        ({"device": "cuda"}, set()),
        ({"gpus": 2}, set()),
        ({"sampling": {"shards": 2}}, set()),  # in how many jobs does not change what is sampled
    ],
)
def test_a_key_changes_only_the_stages_that_depend_on_it(project, keys, rules):
    assert {job[0] for job in changed(project, **keys)} == rules


def test_a_better_solver_samples_its_baseline_alone(project):
    jobs = changed(project, evaluation={"better_solver": {"sampler": "unipc"}})
    assert jobs == {("sample_evaluation", "exp", "start_better_solver")}


def test_matched_moments_sample_everything_again_and_leave_no_baseline_of_them(project):
    project.adversarial()
    before = all_settings(project.load())
    project.adversarial(sampling={"moments": "match"})
    after = all_settings(project.load())
    assert {job[-1] for job in before.keys() ^ after.keys()} == {"start_matched"}
    changed_rules = {job[0] for job in after if before[job] != after[job]}
    assert changed_rules == {"sample_fake", "sample_evaluation"}


def test_a_weight_of_the_adversarial_term_leaves_the_control_arm_alone(project):
    jobs = changed(project, adversarial={"weight": 0.3})
    assert jobs == {("finetune_diffusion", "exp", "adversarial", str(n)) for n in range(3)}


def test_the_control_arm_is_told_nothing_adversarial(project):
    project.adversarial(adversarial={"weight": 0.3})
    jobs = all_settings(project.load())
    for n in range(3):
        control = json.loads(jobs["finetune_diffusion", "exp", "control", str(n)])
        longer = json.loads(jobs["finetune_diffusion", "exp", "control_time", str(n)])
        assert longer == control  # a file says how many epochs more
        adversarial = json.loads(jobs["finetune_diffusion", "exp", "adversarial", str(n)])
        assert "adversarial" not in control
        assert adversarial.pop("adversarial") == {"objective": "x0_bce", "weight": 0.3}
        assert control == adversarial  # the same updates otherwise


def test_more_iterations_leave_the_earlier_ones_as_they_were(project):
    project.adversarial(iterations=3)
    before = all_settings(project.load())
    project.adversarial(iterations=5)
    after = all_settings(project.load())
    assert {job: after[job] for job in before} == before
    assert {job[-1] for job in after.keys() - before.keys()} == {
        *("3", "4"),
        *(f"{arm}/iteration_{n}" for arm in ARMS for n in (3, 4)),
    }


def test_every_job_has_files_of_its_own(project):
    project.adversarial()
    rounds = project.load()
    models = [{"experiment": "exp", "model": model} for model in rounds.models("exp")]
    arms = [
        {"experiment": "exp", "arm": arm, "iteration": str(n)} for arm in ARMS for n in range(3)
    ]
    jobs = [("evaluate", w) for w in models] + [("sample_evaluation", w) for w in models]
    jobs += [("finetune_diffusion", w) for w in arms]
    jobs += [("measure_time", {"experiment": "exp", "iteration": str(n)}) for n in range(3)]
    jobs += [("train_discriminator", {"experiment": "exp", "iteration": str(n)}) for n in range(3)]
    shards = [{"shard": str(n), "shards": str(k)} for k in (2, 3) for n in range(k)]
    place = {"experiment": "exp", "iteration": "0"}
    jobs += [("sample_fake_shard", place | shard) for shard in shards]
    jobs += [(rule, place) for rule in ("sample_fake", "gather_fake")]
    files = [job_files(rounds, *job) for job in jobs]
    for kind in ("job", "record", "log"):
        assert len({getattr(f, kind) for f in files}) == len(jobs)


def test_a_job_reads_what_was_frozen_even_if_the_configuration_changes_meanwhile(
    project, monkeypatch
):
    """A cluster job starts hours after it was planned."""
    project.adversarial()
    rounds = project.load()
    wildcards = {"experiment": "exp", "iteration": "1"}
    planned = stage_settings(rounds, "train_discriminator", wildcards)
    freeze_job(rounds, "train_discriminator", wildcards, planned.to_json())
    project.adversarial(discriminator={"epochs": 1})

    seen = []
    files = job_files(rounds, "train_discriminator", wildcards)
    monkeypatch.setattr("sys.argv", ["stage", "--job", files.job, "--threads", "2"])
    monkeypatch.setattr("logging.root.handlers", [])  # the stage sets its own
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    run_job(stages.TrainDiscriminator, StageParser(None), lambda job, args: seen.append(job))

    (job,) = seen
    assert job.settings == planned
    assert (job.threads, job.content["device"]) == (2, "cpu")
    record = json.loads(Path(files.record).read_text())
    assert record["settings"] == json.loads(planned.to_json())
    assert record["versions"].keys() == {"sparring", "torch", "diffusers"}


def test_forgotten_work_leaves_nothing_to_go_on_from(project, tmp_path):
    """The user forces a job: neither its finished work nor its checkpoint may answer for it."""
    project.adversarial()
    rounds = project.load()
    job = ("train_discriminator", {"experiment": "exp", "iteration": "1"})
    freeze_job(rounds, *job, stage_settings(rounds, *job).to_json())
    state = Path(job_files(rounds, *job).job).parent
    output = tmp_path / "output"
    output.write_text("made before")
    Finished(state).keep("work", {output: output})
    (state / "checkpoint.pt").write_text("half-way")
    (state / "parts").mkdir()
    (state / "parts" / "000000.npy").write_text("a part")
    forget_work(rounds, *job)
    assert [path.name for path in state.rglob("*")] == ["job.json"]
    assert output.read_text() == "made before"


def test_the_frozen_file_is_where_the_state_lies_not_the_results(project):
    """Results are declared and removed by the workflow; what a job resumes from is not."""
    files = job_files(project.load("base"), "pretrain_diffusion", {"experiment": "base"})
    assert files.job == f"{project.folder}/state/base/pretrain_diffusion/job.json"
    assert files.record.startswith(f"{project.folder}/results/base/")
    assert files.log == f"{project.folder}/logs/base/pretrain_diffusion.log"


def test_the_disk_line_says_jobs_sizes_and_where(project):
    project.adversarial(num_samples=50)
    rounds = project.load()
    fakes = ("sample_fake", {"experiment": "exp", "iteration": "0"})
    text = disk_needed(rounds, [fakes])
    # 50 latents [4, 8, 8] in half precision are 25.6 kB
    assert text.startswith(f"1 jobs will write about 26 kB to {project.folder}/results, where ")
    assert text.endswith(" are free")
    assert "about 51 kB" in disk_needed(rounds, [fakes, fakes])


def test_the_disk_line_counts_every_rule_it_may_be_asked_for(project):
    project.adversarial()
    rounds = project.load()
    jobs = [
        ("pack_layouts", {"dataset": "tiny"}),
        ("train_autoencoder", {"autoencoder": "kl"}),
        ("encode_layouts", {"dataset": "tiny", "autoencoder": "kl"}),
        ("pretrain_diffusion", {"experiment": "base"}),
        ("finetune_diffusion", {"experiment": "exp", "arm": "control", "iteration": "0"}),
        ("sample_evaluation", {"experiment": "exp", "model": "start"}),
        ("summarise", {"experiment": "exp"}),
    ]
    assert disk_needed(rounds, jobs).startswith("7 jobs will write about ")


def test_a_disk_that_will_run_full_is_warned_of(project, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    jobs = [("pack_layouts", {"dataset": "tiny"})]
    text = disk_needed(project.load("base"), jobs)
    assert text.startswith("warning: 1 jobs will write about ")
    assert "10 B are free: the disk may run full" in text
