# What the rules share: the experiments, where things lie, what each job is told.

import json
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from sparring.artefacts.model_files import DENOISER_FILES, MODEL_FILES, PIPELINE_FILES
from sparring.errors import UserError
from sparring.rounds import (
    ARMS,
    autoencoder_directory,
    check_gpus,
    check_rounds,
    check_wall_time,
    disk_needed,
    final_denoiser,
    forget_work,
    freeze_job,
    given_encodings,
    is_layouts_autoencoder,
    job_files,
    latents_file,
    lineage,
    load_rounds,
    logs_of_iteration,
    options_by_hand,
    packed_file,
    stage_settings,
    start_vqgan,
)
from sparring.settings.parts import BETTER_SOLVER, MATCHED, NULL

# Snakemake walks the graph recursively; 600 iterations in a row exceed Python's default of 1000.
sys.setrecursionlimit(100_000)

try:
    files = workflow.overwrite_configfiles or workflow.configfiles or ["configuration"]
    ROUNDS = load_rounds(config, source=str(files[0]))
    check_rounds(ROUNDS)
    if "gpu" in workflow.global_resources:
        check_gpus(ROUNDS, workflow.global_resources["gpu"].value)
except UserError as error:
    raise WorkflowError(str(error))

RESULTS, LOGS = ROUNDS.config.results, ROUNDS.config.logs
IN_ITERATION = "/{experiment}/{arm}/iteration_{iteration}"
IN_ADVERSARIAL = "/{experiment}/adversarial/iteration_{iteration}"
IN_CONTROL_TIME = "/{experiment}/control_time/iteration_{iteration}"
ITERATION, ADVERSARIAL = RESULTS + IN_ITERATION, RESULTS + IN_ADVERSARIAL
CONTROL = RESULTS + "/{experiment}/control/iteration_{iteration}"
# `basedir` would be the user's when this workflow is used as a module.
PYTHON = sys.executable
TRAINING = {
    "train_autoencoder",
    "pretrain_diffusion",
    "finetune_semantic",
    "train_discriminator",
    "finetune_diffusion",
    "train_vqgan_reconstruction",
    "train_vqgan_adversarial",
}
VOLUMES = {n for n, d in ROUNDS.config.datasets.items() if d.kind in ("nifti", "phantoms")}
SCRIPTS = Path(str(workflow.current_basedir)).parent / "workflow" / "scripts"


wildcard_constraints:
    dataset=r"[A-Za-z0-9_]+",
    autoencoder=r"[A-Za-z0-9_]+",
    experiment=r"[A-Za-z0-9_]+",
    arm="|".join(ARMS),
    iteration=r"0|[1-9]\d*",
    phase="reconstruction|adversarial|control",
    model=(
        f"{NULL}|start|{BETTER_SOLVER}|{MATCHED}|trained|"
        rf"({'|'.join(ARMS)})/iteration_(0|[1-9]\d*)"
    ),


def settings_of(rule):
    """The job's settings as canonical JSON: what Snakemake compares to plan jobs again."""
    return lambda wildcards: stage_settings(ROUNDS, rule, dict(wildcards.items())).to_json()


def job_of(rule):
    """The file that a job reads its settings from; written when the run begins.

    It takes `input`, so that Snakemake does not record it: another `state` folder is no change.
    In a dry run, which writes no files, the options that say the same follow, so that the commands
    that `-n -p` prints can be run as they are.
    """

    def job(wildcards, input):
        place = dict(wildcards.items())
        words = [job_files(ROUNDS, rule, place).job]
        if workflow.dryrun:
            words += options_by_hand(ROUNDS, rule, place, settings_of(rule)(wildcards))
        return shlex.join(words)

    return job


def program(rule):
    """The command of a job. It takes `input`, so that Snakemake does not record it as a parameter:
    another place of Python, other GPUs or another wall time is no reason to run again."""

    def command(wildcards, input, resources):
        runtime = resources.get("runtime")
        options = ["--runtime", str(runtime)] if runtime else []
        if rule in TRAINING:
            options += ["--processes", str(resources.get("gpu") or gpus_wanted(wildcards))]
        return shlex.join([PYTHON, str(SCRIPTS / f"{rule}.py"), *options])

    return command


def gpus_wanted(wildcards):
    """GPUs (processes, on the CPU) that the settings give to a training job."""
    name = dict(wildcards.items()).get("experiment")
    return ROUNDS.gpus_of(name) if name else ROUNDS.config.gpus


def on_gpu(wildcards):
    """Whether a job runs on cuda."""
    name = dict(wildcards.items()).get("experiment")
    return (ROUNDS.device_of(name) if name else ROUNDS.config.device) == "cuda"


def one_gpu(wildcards):
    """A job that encodes or samples occupies one GPU."""
    return int(on_gpu(wildcards))


def gpus(wildcards):
    """A training job occupies as many GPUs as the settings give it."""
    return gpus_wanted(wildcards) if on_gpu(wildcards) else 0


def benchmark_of(place, rule):
    """Snakemake's own measurement of the last attempt, beside the log; attempts.csv has all."""
    return f"{LOGS}{place}/{rule}.benchmark.tsv"


def model_files(directory):
    """The files of a model directory in diffusers' form."""
    return [f"{directory}/{name}" for name in MODEL_FILES]


def denoiser_files(directory):
    """A denoiser also has its noise schedule beside it."""
    return [f"{directory}/{name}" for name in DENOISER_FILES]


def one_of(names):
    """A wildcard constraint; of no names, one that nothing matches."""
    return "|".join(sorted(names)) or "(?!)"


def packed_of(wildcards):
    """The packed layouts or volumes of an experiment."""
    return packed_file(ROUNDS, wildcards.experiment)


def packed_option(wildcards, input):
    """The option that names them."""
    option = "--layouts" if is_layouts_autoencoder(ROUNDS, wildcards.experiment) else "--volumes"
    return f"{option} {input.packed}"


def autoencoder_of(wildcards):
    """The autoencoder or VQ-GAN of an experiment."""
    return model_files(autoencoder_directory(ROUNDS, wildcards.experiment))


def semantic_layouts(wildcards):
    """What semantic losses read besides: the layouts, and weights of perceptual features."""
    semantic = ROUNDS.semantic(wildcards.experiment)
    return [packed_of(wildcards), *map(str, semantic.files())] if semantic else []


def latents_of(split):
    """The encoded layouts or volumes of an experiment's dataset."""
    return lambda wildcards: latents_file(ROUNDS, wildcards.experiment, split)


def conditions_of(wildcards):
    """The latents whose conditions samples take, where the dataset names conditions."""
    dataset = ROUNDS.config.datasets[ROUNDS.data_of(wildcards.experiment)[0]]
    conditional = getattr(dataset, "condition", None)
    return [latents_file(ROUNDS, wildcards.experiment, "train")] if conditional else []


def conditions_option(wildcards, input):
    """The option that names them."""
    return f"--conditions {input.conditions[0]}" if input.conditions else ""


def reference_of(rule):
    """The train latents, where a job brings its samples to their moments."""

    def files(wildcards):
        settings = stage_settings(ROUNDS, rule, dict(wildcards.items()))
        matched = getattr(settings, "sampling", settings).moments == "match"
        return [latents_of("train")(wildcards)] if matched else []

    return files


def reference_option(wildcards, input):
    """The option that names them."""
    return f"--reference {input.reference[0]}" if input.reference else ""


def folder(files):
    """The directory that listed model files lie in."""
    return str(Path(files[0]).parent)


def results_of_experiments(wildcards):
    """What `rule all` asks for: the table, pictures and choice of every requested experiment."""
    wanted = []
    for name in ROUNDS.requested:
        if name in ROUNDS.vqgans:
            wanted += [f"{RESULTS}/{name}/volumes.{kind}" for kind in ("csv", "png")]
            continue
        kind = ROUNDS.experiments[name].kind
        if kind == "pretrain":
            wanted += denoiser_files(f"{RESULTS}/{name}/denoiser")
            continue
        tables = ["evaluation.csv", "evaluation.png", "samples.png"]
        if kind == "adversarial":
            tables.append("selected.json")
        wanted += [f"{RESULTS}/{name}/{table}" for table in tables]
    return wanted


def is_forced(job):
    """Whether the user asked for this very job to run again."""
    asked = workflow.dag_settings
    named = {job.rule.name, *map(str, job.output)}
    targets = set(asked.targets or ()) if asked.forcetargets else set()
    return asked.forceall or bool(named & (set(asked.forcerun or ()) | targets))


def begin(planned):
    """Freeze the settings of the planned jobs; say what the run needs on disk.

    The stage is read from the settings: used as a module, rules may have other names.
    """
    jobs = [(json.loads(job.params.settings)["stage"], job.wildcards_dict) for job in planned]
    if workflow.executor_plugin.common_settings.non_local_exec:
        for job in planned:
            check_wall_time(ROUNDS, str(job), job.resources.get("runtime"))
    for job, (stage, wildcards) in zip(planned, jobs, strict=True):
        freeze_job(ROUNDS, stage, wildcards, job.params.settings)
        if is_forced(job):
            forget_work(ROUNDS, stage, wildcards)
    for warning in ROUNDS.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(disk_needed(ROUNDS, jobs), file=sys.stderr)


onstart:
    # Runs once, in the main process, not in dry runs.
    try:
        begin([job for job in workflow.dag.needrun_jobs() if "settings" in job.params.keys()])
    except UserError as error:
        raise WorkflowError(str(error))
