"""Where an experiment's results come from: settings, models and data by digest, versions."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from ..artefacts.digests import text_digest
from ..artefacts.finished import Finished
from ..artefacts.latents import latents_info
from ..artefacts.model_files import MODEL_FILES
from ..errors import UserError
from ..rounds.encodings import latents_file
from ..rounds.jobs import Wildcards, job_files
from ..rounds.loading import Rounds
from .times import read_record


@dataclass(frozen=True)
class Provenance:
    """What a reader needs to tell this run from another."""

    file: str
    settings: str
    """The keys that differ from their defaults, as YAML."""
    start: str
    dataset: str
    autoencoder: str
    """"" of an experiment on volumes, which trains one."""
    digests: dict[str, str]
    """Content of data and models, by what they are."""
    versions: dict[str, str]
    """Of the programs that made the last result."""
    computed_on: str
    """Device, precision."""


def provenance_of(rounds: Rounds, name: str) -> Provenance:
    """From the settings now and the records beside the results."""
    experiment = rounds.of_any_kind(name)
    of_volumes = name in rounds.vqgans
    dataset, autoencoder = (rounds.vqgan(name).dataset, "") if of_volumes else rounds.data_of(name)
    record = _last_record(Path(rounds.config.results) / name)
    settings = {"kind": experiment.kind, **experiment.changed()}
    return Provenance(
        file=rounds.file(name),
        settings=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
        start=getattr(experiment, "start_from", None) or "",
        dataset=dataset,
        autoencoder=autoencoder,
        digests=_of_volumes(rounds, name) if of_volumes else _digests(rounds, name),
        versions={str(k): str(v) for k, v in record.get("versions", {}).items()},
        computed_on=", ".join(str(record[k]) for k in ("device", "precision") if k in record),
    )


def _digests(rounds: Rounds, name: str) -> dict[str, str]:
    """What the latents files say of what they were made from; no model is read for it."""
    found = {}
    encoded = _attributes(Path(latents_file(rounds, name, "train")))
    for what, key in (("packed data", "source_digest"), ("autoencoder", "autoencoder_digest")):
        if key in encoded:
            found[what] = encoded[key]
    if name in rounds.started_names:
        for model in rounds.models(name):
            latents = Path(rounds.config.results) / name / model / "evaluation_latents.h5"
            digest = _attributes(latents).get("source_digest")
            if digest:
                found[f"denoiser {model}"] = digest
    return found


def _of_volumes(rounds: Rounds, name: str) -> dict[str, str]:
    """What the stages remember of the files that they made; nothing large is read for it."""
    experiment = rounds.vqgan(name)
    packed = _contents(rounds, "pack_volumes", {"dataset": experiment.dataset})
    digest = next((d for path, d in packed.items() if path.endswith("volumes.h5")), None)
    found = {"packed volumes": digest} if digest else {}
    for phase in experiment.phases:
        first = phase == "reconstruction"
        rule = "train_vqgan_reconstruction" if first else "train_vqgan_adversarial"
        wildcards = {"experiment": name} | ({} if first else {"phase": phase})
        contents = _contents(rounds, rule, wildcards)
        model = {Path(p).name: d for p, d in contents.items() if Path(p).parent.name == "vqgan"}
        if set(MODEL_FILES) <= set(model):  # as artefacts.digests.model_digest
            found[f"model {phase}"] = text_digest("".join(model[file] for file in MODEL_FILES))
    return found


def _contents(rounds: Rounds, rule: str, wildcards: Wildcards) -> dict[str, str]:
    return Finished(Path(job_files(rounds, rule, wildcards).job).parent).contents


def _attributes(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        return {key: str(value) for key, value in latents_info(path).attributes.items()}
    except UserError:  # it is the stages' matter to complain
        return {}


def _last_record(place: Path) -> dict:
    """The record of the job that ended last, below an experiment's folder."""
    paths = sorted(place.glob("**/settings/*.json"), key=lambda p: (p.stat().st_mtime, str(p)))
    return next((record for path in reversed(paths) if (record := read_record(path))), {})
