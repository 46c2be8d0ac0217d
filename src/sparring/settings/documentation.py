"""config/schema.json and the table of keys in config/README.md, generated from the models."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from .autoencoder import AutoencoderLosses, AutoencoderSettings
from .config import Config
from .dataset import ManifestDataset, ProceduralDataset
from .experiment import (
    AdversarialExperiment,
    Experiment,
    FinetuneExperiment,
    Override,
    PretrainExperiment,
    SweepExperiment,
)
from .objective import AdversarialLoss
from .parts import (
    BetterSolver,
    DenoiserSettings,
    DiscriminatorOverride,
    DiscriminatorSettings,
    EvaluationSettings,
    FinetuneOverride,
    FinetuneSettings,
    NoiseScheduleSettings,
    PretrainSettings,
    SampleGrid,
    SamplingSettings,
    SemanticTraining,
)
from .semantic import SemanticLoss
from .splits import SplitFractions
from .volumes import PhantomDataset, VolumeDataset, WindowSettings
from .vqgan import (
    CodebookSettings,
    CodebookTraining,
    VqganAdversarial,
    VqganLosses,
    VqganModel,
    VqganTraining,
)
from .vqgan_experiment import VqganExperiment

BEGIN, END = "<!-- keys: begin (generated) -->", "<!-- keys: end -->"

_SECTIONS: list[tuple[str, type[BaseModel]]] = [
    ("config.yaml", Config),
    ("datasets.NAME, `kind: procedural`", ProceduralDataset),
    ("datasets.NAME, `kind: manifest`", ManifestDataset),
    ("datasets.NAME, `kind: phantoms`", PhantomDataset),
    ("datasets.NAME, `kind: nifti`", VolumeDataset),
    ("datasets.NAME.split", SplitFractions),
    ("autoencoders.NAME", AutoencoderSettings),
    ("autoencoders.NAME.losses", AutoencoderLosses),
    ("Experiments, `kind: pretrain`", PretrainExperiment),
    ("denoiser", DenoiserSettings),
    ("noise_schedule", NoiseScheduleSettings),
    ("diffusion (pretrain)", PretrainSettings),
    ("diffusion.sample_grid", SampleGrid),
    ("Experiments, `kind: finetune`", FinetuneExperiment),
    ("diffusion (finetune)", SemanticTraining),
    ("semantic", SemanticLoss),
    ("Experiments, `kind: adversarial`", AdversarialExperiment),
    ("sampling", SamplingSettings),
    ("discriminator", DiscriminatorSettings),
    ("diffusion (adversarial)", FinetuneSettings),
    ("adversarial", AdversarialLoss),
    ("evaluation", EvaluationSettings),
    ("evaluation.better_solver", BetterSolver),
    ("overrides[]", Override),
    ("overrides[].discriminator", DiscriminatorOverride),
    ("overrides[].diffusion", FinetuneOverride),
    ("Experiments, `kind: vqgan`", VqganExperiment),
    ("model", VqganModel),
    ("model.codebook", CodebookSettings),
    ("training", VqganTraining),
    ("training.codebook", CodebookTraining),
    ("losses", VqganLosses),
    ("adversarial (vqgan)", VqganAdversarial),
    ("inference", WindowSettings),
    ("Experiments, `kind: sweep`", SweepExperiment),
]


def schema_text() -> str:
    """JSON schema of config.yaml and of experiment files, for editors."""
    schema = TypeAdapter(Config | Experiment | SweepExperiment).json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Sparring settings"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


def keys_text() -> str:
    """Every key with type, default and meaning, as Markdown."""
    return "\n\n".join(_section(title, model) for title, model in _SECTIONS)


def with_keys(readme: str) -> str:
    """A README with the part between the two markers replaced by the present keys."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{keys_text()}\n\n{END}{after}"


@dataclass(frozen=True)
class Key:
    """One key of a model: its dotted path, and what there is to say about it."""

    path: str
    type: str
    default: str
    """`required`, `none` or the value as JSON."""
    meaning: str


def keys_of(model: type[BaseModel], above: str = "") -> Iterator[Key]:
    """Every key of a model and of the groups within it; of alternatives the keys of all."""
    properties = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        path, groups = f"{above}{name}", _groups(field.annotation)
        meaning = " ".join((field.description or "").split())
        if not groups or field.default is None:
            default = _default(field).strip("`")
            yield Key(path, _type(properties[name]), default, meaning)
        for group in groups:
            yield from keys_of(group, f"{path}.")


def _groups(annotation: Any) -> list[type[BaseModel]]:
    """The models that a key may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [group for part in get_args(annotation) for group in _groups(part)]


def _section(title: str, model: type[BaseModel]) -> str:
    properties = model.model_json_schema()["properties"]
    lines = [f"### {title}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = " ".join((field.description or "").split())
        cells = (f"`{name}`", _type(properties[name]), _default(field), meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, BaseModel):
        return "see below"
    if field.default is None:
        return "none"
    return f"`{json.dumps(field.default)}`"


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "$ref" in schema or "oneOf" in schema or schema.get("type") == "object":
        return "keys"
    names = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}
    name = names.get(schema.get("type", ""), "list")
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema]
    return " ".join([name, ", ".join(limits)]).strip()
