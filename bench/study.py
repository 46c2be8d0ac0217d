r"""Which objective makes rounds beat their control? Arms from one start, judged together.

    snakemake --profile profiles/local --config 'experiments=[stage1_study_small]'
    python bench/study.py --start results/stage1_study_small \
        --latents results/latents/study-study_kl --autoencoder results/autoencoders/study_kl \
        --layouts results/datasets/study/layouts.h5

Every arm gets three rounds from the same start with each training seed; samples of all arms begin
from the same noise and are judged by the same scorers of two families (docs/evaluation.md), which
have seen equal shares of all. What is finished is kept under `--output` and not done again. What
the arms do: study_arms.py. What was found: docs/study.md.
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from study_arms import ARMS, Arm
from study_picture import draw

from sparring.artefacts.atomic import write_text
from sparring.artefacts.latents import read_column, read_latents
from sparring.artefacts.layouts import Layouts
from sparring.compute import prepare
from sparring.evaluation.comparing import FIXED
from sparring.evaluation.distances import frechet_figure
from sparring.evaluation.features import RandomConvolutions
from sparring.evaluation.judges import JUDGES
from sparring.evaluation.judging import draws_of
from sparring.evaluation.layout_statistics import layout_figures
from sparring.evaluation.layouts import LayoutMeasures
from sparring.evaluation.neighbours import Projected, manifold_figures, memorisation_figure
from sparring.evaluation.statistics import Draws, Figure, estimate_of
from sparring.evaluation.two_sample import Rows, auc_figure, train_panel, turns
from sparring.models.autoencoder import Codec
from sparring.models.backbone import from_denoiser
from sparring.models.denoiser import Denoiser, forward_process, load_denoiser
from sparring.models.discriminator import LatentDiscriminator
from sparring.models.guided import GuidedDenoiser, guided
from sparring.randomness import numpy_generator, seeded_initialisation
from sparring.sampling.sampler import Sampler
from sparring.settings.parts import EvaluationSettings, FinetuneSettings, SamplingSettings
from sparring.training.discriminator import DiscriminatorTraining, split_rows
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Latents
from sparring.training.loop import Loop, Trained
from sparring.training.opponents import Critic, Itself, Opponent
from sparring.training.state import ResumeState

ROUNDS = 3
FIGURES = (
    *FIXED, "frechet", "coverage", "memorisation", "isolated_gap", "boundary_gap",
    "adjacency_distance",
)  # fmt: skip


class Study:
    """One start, its data, and what arms left of it."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.output = args, Path(args.output)
        self.compute = prepare("cpu", "auto", 1)
        self.output.mkdir(parents=True, exist_ok=True)
        splits = {n: args.latents / f"{n}.h5" for n in ("train", "val", "test")}
        train, val = (torch.from_numpy(read_latents(splits[n])).float() for n in ("train", "val"))
        self.latents = Latents(train, val)
        self.originals = read_column(splits["train"], "original_id").astype(str)
        self.held_out = Rows(
            read_latents(splits["test"]), read_column(splits["test"], "original_id").astype(str)
        )
        self.sampling = SamplingSettings(num_steps=args.steps, batch_size=100)

    def samples(self, name: str, seed: int) -> np.ndarray:
        """An arm's samples after its last round; made where they are not there yet."""
        precision = "bf16" if self.compute.bf16 else "fp32"
        file = self.output / f"{name.replace(' ', '_')}__{seed}__{precision}.npy"
        if not file.exists():
            began = time.process_time()
            model = load_denoiser(self.args.start / "denoiser")[0]
            for number in range(0 if name == "start" else ROUNDS):
                model = self._round(ARMS[name], model, seed, number)
            found = self._sample(model, self.args.count, 42, "sample_evaluation")
            np.save(file, found.numpy().astype(np.float16))
            print(f"{name} seed {seed}: {time.process_time() - began:.0f} CPU s", flush=True)
        return np.load(file)

    def _round(self, arm: Arm, model: Denoiser, seed: int, number: int) -> Denoiser:
        opponent: Opponent | None = None
        if arm.loss is not None:
            fakes = self._sample(model, self.args.fakes or arm.fakes, seed, "sample_fake", number)
            if arm.loss.objective == "ddo":
                opponent = Itself(model, fakes, arm.loss)
            else:
                critic, best = self._critic(arm, model, fakes, seed, number)
                if arm.loss.objective == "guidance":
                    schedule = load_denoiser(self.args.start / "denoiser")[1]
                    reach, weight = arm.loss.timesteps, arm.loss.guidance_weight
                    told = best < np.log(2)
                    return guided(model, critic, weight, reach, schedule) if told else model
                opponent = Critic(critic, arm.loss)
        settings = FinetuneSettings(
            epochs=arm.epochs * self.args.times, batch_size=64, learning_rate=arm.rate,
            lr_schedule="constant", ema_decay=0.995, eval_interval=1, selection_samples=0,
            sample_interval=0,
        )  # fmt: skip
        schedule = load_denoiser(self.args.start / "denoiser")[1]
        key = ("finetune_diffusion", number)
        stage = Finetuning(
            model, schedule, self.latents, settings, self.compute, seed, key, opponent=opponent
        )
        stage.model.load_state_dict(_run(stage).best)
        return stage.model

    def _critic(
        self, arm: Arm, model: Denoiser, fakes: torch.Tensor, seed: int, number: int
    ) -> tuple[LatentDiscriminator, float]:
        """This round's discriminator, and its best validation loss."""
        assert arm.loss is not None
        s, noised = arm.discriminator, arm.loss.objective != "x0_bce"
        draw = numpy_generator(seed, "encode_real", number).permutation(len(self.originals))
        rows = draw[: len(fakes)]
        with seeded_initialisation(seed, "discriminator", number):
            if s.backbone == "denoiser":
                inner = model.unguided if isinstance(model, GuidedDenoiser) else model
                critic = from_denoiser(inner, 0, 2, noised)
            else:
                channels = fakes.shape[1]
                critic = LatentDiscriminator(channels, s.base_channels, s.num_layers, noised=noised)
        schedule = load_denoiser(self.args.start / "denoiser")[1]
        stage = DiscriminatorTraining(
            critic, self.latents.train[rows], fakes,
            split_rows(self.originals[rows], s.val_fraction, seed, "real"),
            split_rows(np.arange(len(fakes)), s.val_fraction, seed, "fake", number),
            s, self.compute, seed, ("train_discriminator", number),
            process=forward_process(schedule) if noised else None,
        )  # fmt: skip
        trained = _run(stage)
        critic.load_state_dict(trained.best)
        return critic.eval(), min(row["val_loss"] for row in trained.history[1:])  # type: ignore[type-var, return-value]

    def _sample(self, model: Denoiser, count: int, seed: int, *key: int | str) -> torch.Tensor:
        schedule = load_denoiser(self.args.start / "denoiser")[1]
        sampler = Sampler(model.eval(), schedule, self.sampling, self.compute)
        return torch.cat(list(sampler.batches(count, 100, seed, *key)))

    def figures(self, samples: dict[str, np.ndarray]) -> dict[str, dict[str, Figure]]:
        """All figures of all samples, by the same scorers and resamples."""
        settings = EvaluationSettings(judge_seeds=self.args.judge_seeds, bootstrap=200)
        names = np.array([f"noise {n}" for n in range(self.args.count)])
        taken = turns(len(samples), self.args.count)
        parts = [(x[rows], names[rows]) for x, rows in zip(samples.values(), taken, strict=True)]
        pool = Rows(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))
        draws = draws_of(names, self.held_out.groups, settings)
        found: dict[str, dict[str, Figure]] = {name: {} for name in samples}
        for family, judge in JUDGES.items():
            panel = train_panel(judge, self.held_out, pool, settings.judge_seeds, settings.seed)
            reals = panel.scores(self.held_out)
            for name, x in samples.items():
                scores = panel.scores(Rows(x, names))
                found[name][f"fixed_auc_{family}"] = auc_figure(reals, scores, draws[1], draws[0])
        features = RandomConvolutions.like(self.held_out.latents, self.args.features, 42)
        reals = features(self.held_out.latents)
        mean, std = reals.mean(0), reals.std(0) + 1e-12
        train = _flat(self.latents.train.numpy(), self.originals)
        held_out = _flat(self.held_out.latents, self.held_out.groups)
        for name, x in samples.items():
            own, theirs = (features(x) - mean) / std, (reals - mean) / std
            found[name]["frechet"] = frechet_figure(own, theirs, *draws)
            found[name] |= manifold_figures(own, theirs, *draws)
            found[name]["memorisation"] = memorisation_figure(
                _flat(x, names), train, held_out, draws[0], range(3)
            )
        return self._decoded(samples, found, draws)

    def _decoded(
        self,
        samples: dict[str, np.ndarray],
        found: dict[str, dict[str, Figure]],
        draws: tuple[Draws, Draws],
    ) -> dict[str, dict[str, Figure]]:
        codec = Codec.load(self.args.autoencoder, self.compute)
        layouts = Layouts(self.args.layouts)
        measures = LayoutMeasures(layouts.palette, layouts.roles, 64)
        reals = measures.originals(layouts.read(layouts.rows("test")[: len(self.held_out)]))
        for name, x in samples.items():
            found[name] |= layout_figures(measures.decoded(codec, x), reals, *draws)
        return found


def _flat(latents: np.ndarray, groups: np.ndarray) -> Projected:
    return Projected(latents.reshape(len(latents), -1).astype(np.float32), groups)


def _run(stage: object) -> Trained:
    with tempfile.TemporaryDirectory() as folder:
        return Loop(stage, ResumeState(Path(folder), "study"), 1e9).run()  # type: ignore[arg-type]


def runs_of(arms: list[str], seeds: list[int]) -> dict[str, list[str]]:
    """The names of each arm's runs, and of the start's only one."""
    return {"start": ["start__42"], **{a: [f"{a}__{s}" for s in seeds] for a in arms}}


def means(
    found: dict[str, dict[str, Figure]], runs: dict[str, list[str]]
) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and standard error of every figure over each arm's runs."""
    values: dict[str, dict[str, tuple[float, float]]] = {}
    for arm, names in runs.items():
        estimates = {f: estimate_of([found[name][f] for name in names]) for f in FIGURES}
        values[arm] = {f: (e.value, e.se) for f, e in estimates.items()}
    return values


def table(found: dict[str, dict[str, Figure]], arms: list[str], seeds: list[int]) -> str:
    """Figures of every arm, and differences to both controls over seeds."""
    lines = ["| arm | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    for arm, of in means(found, runs_of(arms, seeds)).items():
        cells = [f"{value:.4f} ± {se:.4f}" for value, se in of.values()]
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    for control in (arm for arm in arms if arm.startswith("control")):
        lines += ["", f"Differences to `{control}`, paired seed by seed; in brackets standard "
                      "errors:", "", *lines[:2]]  # fmt: skip
        for arm in arms:
            if arm == control:
                continue
            cells = []
            for figure in FIGURES:
                runs = [
                    found[f"{arm}__{s}"][figure].minus(found[f"{control}__{s}"][figure])
                    for s in seeds
                ]
                e = estimate_of(runs)
                cells.append(f"{e.value:+.4f} ({e.value / e.se if e.se else 0:+.1f})")
            lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Make what is missing, judge, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("start", "latents", "autoencoder", "layouts"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("results/study"))
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--count", type=int, default=2000, help="samples to judge")
    parser.add_argument("--fakes", type=int, default=None, help="of a round; else the arm's")
    parser.add_argument("--times", type=int, default=1, help="multiplies an arm's epochs")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--judge-seeds", type=int, default=3)
    parser.add_argument("--table", type=Path, default=None)
    parser.add_argument("--picture", type=Path, default=None)
    args = parser.parse_args()
    study = Study(args)
    samples = {"start__42": study.samples("start", 42)}
    for seed in args.seeds:
        for arm in args.arms:
            samples[f"{arm}__{seed}"] = study.samples(arm, seed)
    found = study.figures(samples)
    text = table(found, args.arms, args.seeds)
    print(text)
    if args.picture:
        draw(means(found, runs_of(args.arms, args.seeds)), args.picture)
    if args.table:
        head = (
            f"# Study of objectives\n\nSeeds {args.seeds}, {args.count} samples of each arm, "
            f"{len(study.held_out)} held out; {study.compute.description}, "
            f"{platform.machine()}.\n\n"
        )
        write_text(args.table, head + text + "\n")


if __name__ == "__main__":
    main()
