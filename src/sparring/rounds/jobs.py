"""What each job is told, and where its settings, state and log lie."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..artefacts.atomic import write_text
from ..artefacts.finished import Finished
from ..artefacts.state_files import JOB, clear_progress
from ..objectives.table import NEEDS
from ..settings import stages
from ..settings.config import RUN_KEYS, Config
from ..settings.dataset import DatasetSettings, LayoutDataset, ManifestDataset, ProceduralDataset
from ..settings.experiment import AdversarialExperiment
from ..settings.parts import DiscriminatorSettings, EvaluationSettings, SamplingSettings
from ..settings.stage_settings import StageSettings
from ..settings.volume_stages import MeasureVolumes, PackVolumes
from ..settings.volumes import AnyVolumes
from ..settings.vqgan_stages import EncodeVolumes
from .encodings import given_encodings
from .loading import Rounds
from .vqgan import RULES as VQGAN_RULES
from .vqgan import vqgan_settings

Wildcards = dict[str, str]


@dataclass(frozen=True)
class JobFiles:
    """The files beside a job's outputs."""

    job: str
    """What the job reads: settings frozen when the run began, device, precision."""
    record: str
    """The copy that stays beside the results."""
    log: str
    """Appended over attempts."""


def job_files(rounds: Rounds, rule: str, wildcards: Wildcards) -> JobFiles:
    """Where a job's own files lie."""
    place, name, config = _place(rule, wildcards), _name(rule, wildcards), rounds.config
    return JobFiles(
        job=f"{config.state}/{place}/{name}/{JOB}",
        record=f"{config.results}/{place}/settings/{name}.json",
        log=f"{config.logs}/{place}/{name}.log",
    )


def freeze_job(rounds: Rounds, rule: str, wildcards: Wildcards, settings_json: str) -> None:
    """Write what a planned job will read.

    Frozen when the run begins: a cluster job starts hours later, when the configuration may have
    been edited, and must still do what was planned and recorded.
    """
    content = _content(rounds, rule, wildcards, settings_json)
    file = Path(job_files(rounds, rule, wildcards).job)
    write_text(file, json.dumps(content, indent=2, sort_keys=True) + "\n")


def options_by_hand(
    rounds: Rounds, rule: str, wildcards: Wildcards, settings_json: str
) -> list[str]:
    """Options of a stage's program that say what the job file would.

    A dry run writes no files, and its commands are to do what it shows: not what an earlier run
    has frozen.
    """
    content = _content(rounds, rule, wildcards, settings_json)
    options = ["--settings", settings_json]
    for key in RUN_KEYS:
        if content[key] != Config.model_fields[key].default:
            options += [f"--{key.replace('_', '-')}", str(content[key])]
    return [*options, "--log", content["log"], "--record", content["record"]]


def _content(rounds: Rounds, rule: str, wildcards: Wildcards, settings_json: str) -> dict[str, Any]:
    files = job_files(rounds, rule, wildcards)
    name = wildcards.get("experiment", "")
    return {
        "name": f"{_place(rule, wildcards)}/{_name(rule, wildcards)}",
        "settings": json.loads(settings_json),
        "device": rounds.device_of(name) if name else rounds.config.device,
        "precision": rounds.config.precision,
        "execution": rounds.config.execution,
        "checkpoint_minutes": rounds.config.checkpoint_minutes,
        "wall_time_margin_minutes": rounds.config.wall_time_margin_minutes,
        "lock_timeout_seconds": rounds.config.lock_timeout_seconds,
        "tracker": rounds.config.tracker,
        "record": files.record,
        "log": files.log,
    }


def forget_work(rounds: Rounds, rule: str, wildcards: Wildcards) -> None:
    """The user wants a job done again from the start, though nothing it depends on has changed."""
    directory = Path(job_files(rounds, rule, wildcards).job).parent
    Finished(directory).forget()
    clear_progress(directory)


def stage_settings(rounds: Rounds, rule: str, wildcards: Wildcards) -> StageSettings:
    """The settings of one job: only what it depends on."""
    if rule == "pack_layouts":
        return stages.PackLayouts(dataset=_packed(rounds.config.datasets[wildcards["dataset"]]))
    if rule == "pack_volumes":
        return PackVolumes(dataset=rounds.volumes(wildcards["dataset"]))
    if rule == "train_autoencoder":
        chosen = rounds.config.autoencoders[wildcards["autoencoder"]]
        return stages.TrainAutoencoder(autoencoder=chosen)
    if rule in ("encode_layouts", "encode_volumes") and "autoencoder" in wildcards:
        return _encoding_settings(rounds, rule, wildcards["dataset"], wildcards["autoencoder"])
    if rule == "export_pipeline":
        return stages.ExportPipeline()
    if rule in VQGAN_RULES:
        return vqgan_settings(rounds, rule, wildcards)
    name = wildcards["experiment"]
    if rule == "pretrain_diffusion":
        e = rounds.pretrain(name)
        return stages.PretrainDiffusion(
            seed=e.seed,
            denoiser=e.denoiser,
            noise_schedule=e.noise_schedule,
            diffusion=e.diffusion,
        )
    if rule == "finetune_semantic":
        f = rounds.finetune(name)
        return stages.FinetuneSemantic(seed=f.seed, diffusion=f.diffusion, semantic=f.semantic)
    if "iteration" in wildcards:
        return _iteration_settings(rounds, rule, wildcards)
    return _evaluation_settings(rounds, rule, wildcards)


def _encoding_settings(rounds: Rounds, rule: str, dataset: str, autoencoder: str) -> StageSettings:
    if rule == "encode_volumes":
        return EncodeVolumes(patch_size=given_encodings(rounds)[dataset, autoencoder].patch_size)
    return stages.EncodeLayouts(dataset=_giving_latents(rounds, dataset))


def _iteration_settings(rounds: Rounds, rule: str, wildcards: Wildcards) -> StageSettings:
    e = rounds.adversarial(wildcards["experiment"])
    iteration = int(wildcards["iteration"])
    keyed: dict[str, Any] = {"seed": e.seed, "iteration": iteration}
    if rule == "encode_real":
        return stages.EncodeReal(
            **keyed,
            num_samples=e.num_samples_at(iteration),
            allow_fewer_reals=e.allow_fewer_reals,
            augmented=e.discriminator.reals == "as_training" and e.diffusion.augmented,
        )
    if rule in ("sample_fake", "sample_fake_shard"):
        count, sampling = e.num_samples_at(iteration), _unsharded(_sampling_of_fakes(e))
        if rule == "sample_fake":
            return stages.SampleFake(**keyed, num_samples=count, sampling=sampling)
        return stages.SampleFakeShard(
            **keyed,
            num_samples=count,
            sampling=sampling.model_copy(update={"moments": "keep"}),
            shard=int(wildcards["shard"]),
            shards=int(wildcards["shards"]),
        )
    if rule == "gather_fake":
        sampling = _sampling_of_fakes(e)
        return stages.GatherFake(batch_size=sampling.batch_size, moments=sampling.moments)
    if rule == "train_discriminator":
        # Where it starts from is an input file; who the reals are is encode_real's matter.
        default = DiscriminatorSettings()
        elsewhere = stages.TrainDiscriminator.elsewhere
        unrelated = [path.removeprefix("discriminator.") for path in elsewhere]
        settings = e.discriminator_at(iteration).model_copy(
            update={key: getattr(default, key) for key in unrelated}
        )
        noised = NEEDS[e.adversarial.objective].discriminator_input == "noised"
        return stages.TrainDiscriminator(**keyed, noised=noised, discriminator=settings)
    if rule == "guide_denoiser":
        weight, reach = e.adversarial.guidance_weight, e.adversarial.timesteps
        return stages.GuideDenoiser(guidance_weight=weight, timesteps=reach)
    if rule == "measure_time":
        usual = NEEDS[e.adversarial.objective].usual_ratio
        return stages.MeasureTime(epochs=e.diffusion_at(iteration).epochs, usual_ratio=usual)
    against = wildcards["arm"] == "adversarial"
    return stages.FinetuneDiffusion(
        **keyed,
        diffusion=e.diffusion_at(iteration),
        adversarial=e.adversarial if against else None,
        discriminator=_meanwhile(e.discriminator_at(iteration)) if against else None,
        semantic=e.semantic,
    )


def _sampling_of_fakes(experiment: AdversarialExperiment) -> SamplingSettings:
    """As models are sampled to be judged; but fakes that enter a loss as samples of the model's own
    density are drawn without classifier-free guidance, which samples another one."""
    if not NEEDS[experiment.adversarial.objective].fakes_in_training:
        return experiment.sampling
    return experiment.sampling.model_copy(update={"guidance_scale": 1.0, "moments": "keep"})


def _meanwhile(settings: DiscriminatorSettings) -> DiscriminatorSettings | None:
    """What fine-tuning must know of the discriminator's settings; None where it is frozen."""
    keys = ["relativistic"]
    if settings.online:
        keys += ["online", "learning_rate", "weight_decay", "r1", "r2"]
    kept = {key: getattr(settings, key) for key in keys}
    found = DiscriminatorSettings(**kept)
    return found if found != DiscriminatorSettings() else None


def _evaluation_settings(rounds: Rounds, rule: str, wildcards: Wildcards) -> StageSettings:
    name = wildcards["experiment"]
    e = rounds.started(name)
    if rule == "sample_evaluation":
        sampling = rounds.baselines(name).get(wildcards["model"], e.sampling)
        return stages.SampleEvaluation(
            seed=e.evaluation.seed,
            num_samples=e.evaluation.num_samples,
            sampling=_unsharded(sampling),
        )
    if rule == "evaluate":
        return stages.Evaluate(evaluation=_without(e.evaluation, stages.Evaluate))
    if rule == "measure_layouts":
        return stages.MeasureLayouts(
            seed=e.evaluation.seed,
            num_samples=e.evaluation.decoded,
            inception_weights=e.evaluation.inception_weights,
        )
    if rule == "measure_volumes":
        return MeasureVolumes(seed=e.evaluation.seed, num_samples=e.evaluation.decoded)
    if rule == "compare_models":
        return stages.CompareModels(evaluation=_without(e.evaluation, stages.CompareModels))
    if rule == "compare_samples":
        return stages.CompareSamples(grid=e.evaluation.grid)
    return stages.SelectBest() if rule == "select_best" else stages.Summarise(seed=e.seed)


def _without(evaluation: EvaluationSettings, kind: type[StageSettings]) -> EvaluationSettings:
    """Keys that the stage does not read are as if nobody had set them."""
    default = EvaluationSettings()
    keys = {path.split(".")[1] for path in kind.elsewhere}
    return evaluation.model_copy(update={key: getattr(default, key) for key in keys})


def _packed(dataset: DatasetSettings) -> LayoutDataset:
    """Where latents come from is encode_layouts' matter."""
    assert not isinstance(dataset, AnyVolumes), dataset  # pack_volumes packs those
    if isinstance(dataset, ProceduralDataset):
        return dataset
    return dataset.model_copy(update={"latents": "encode", "latents_are": "raw"})


def _giving_latents(rounds: Rounds, name: str) -> ManifestDataset | None:
    dataset = rounds.config.datasets[name]
    if not isinstance(dataset, ManifestDataset) or dataset.latents == "encode":
        return None
    return dataset


def _unsharded(sampling: SamplingSettings) -> SamplingSettings:
    """In how many jobs something is sampled does not change what is sampled."""
    return sampling.model_copy(update={"shards": 1})


def _name(rule: str, wildcards: Wildcards) -> str:
    """Tells the jobs of one place apart."""
    return rule + ("_{shard}_of_{shards}".format(**wildcards) if "shard" in wildcards else "")


def _place(rule: str, wildcards: Wildcards) -> str:
    """The folder under results, state and logs that a job belongs to."""
    w = wildcards
    if rule in ("pack_layouts", "pack_volumes"):
        return f"datasets/{w['dataset']}"
    if rule == "train_autoencoder":
        return f"autoencoders/{w['autoencoder']}"
    if rule == "encode_layouts" or (rule == "encode_volumes" and "phase" not in w):
        return f"latents/{w['dataset']}-{w['autoencoder']}"
    if rule == "train_vqgan_reconstruction":
        return f"{w['experiment']}/reconstruction"
    if "phase" in w:
        return f"{w['experiment']}/{w['phase']}"
    if "model" in w:
        return f"{w['experiment']}/{w['model']}"
    if "iteration" in w:
        arm = w.get("arm", "control_time" if rule == "measure_time" else "adversarial")
        return f"{w['experiment']}/{arm}/iteration_{w['iteration']}"
    return w["experiment"]
