r"""Which objective makes rounds beat their control? Arms from one start, judged together.

    snakemake --profile profiles/local --config 'experiments=[stage1_study_small]'
    python bench/study.py --start results/stage1_study_small \
        --latents results/latents/study-study_kl --autoencoder results/autoencoders/study_kl \
        --layouts results/datasets/study/layouts.h5

Every arm gets three rounds from the same start with each training seed. A seed is thus a
fine-tuning of this one start; what another start would give is in no interval. `control` has equal
updates, `control x 3` three times the updates. Samples of all arms begin from the same noise and
are judged as the product judges (study_judging.py, docs/evaluation.md). Search with `--split val`
and other seeds than those that judge. Samples are kept under `--output` and not made again. What
the arms do: study_arms.py.
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from study_arms import ARMS, Arm
from study_judging import StudyJudge
from study_picture import draw

from sparring.artefacts.atomic import write_text
from sparring.artefacts.latents import read_column, read_latents
from sparring.compute import prepare
from sparring.evaluation.comparing import DECIDING
from sparring.evaluation.statistics import Figure, estimate_of
from sparring.models.backbone import from_denoiser
from sparring.models.denoiser import Denoiser, forward_process, load_denoiser
from sparring.models.discriminator import LatentDiscriminator
from sparring.models.guided import GuidedDenoiser, guided
from sparring.models.moments import matching, moments_of
from sparring.randomness import numpy_generator, seeded_initialisation
from sparring.sampling.sampler import Sampler
from sparring.settings.parts import FinetuneSettings, SamplingSettings
from sparring.training.discriminator import DiscriminatorTraining, split_rows
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Latents
from sparring.training.loop import Loop, Trained
from sparring.training.opponents import Critic, Itself, Opponent
from sparring.training.state import ResumeState

ROUNDS = 3
BASELINES = ("start", "start matched")
FIGURES = (
    *DECIDING, "auc_cnn", "frechet", "coverage", "memorisation", "isolated_gap", "closed",
)  # fmt: skip


class Study:
    """One start, its data, and what arms left of it."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.output = args, Path(args.output)
        self.compute = prepare("cpu", "auto", 1)
        self.output.mkdir(parents=True, exist_ok=True)
        splits = {n: args.latents / f"{n}.h5" for n in ("train", "val")}
        train, val = (torch.from_numpy(read_latents(splits[n])).float() for n in ("train", "val"))
        self.latents = Latents(train, val)
        self.originals = read_column(splits["train"], "original_id").astype(str)
        self.sampling = SamplingSettings(num_steps=args.steps, batch_size=100)

    def samples(self, name: str, seed: int) -> np.ndarray:
        """An arm's samples after its last round; made where they are not there yet."""
        precision = "bf16" if self.compute.bf16 else "fp32"
        how = f"{self.sampling.sampler}_{self.sampling.num_steps}__{precision}"
        file = self.output / f"{name.replace(' ', '_')}__{seed}__{how}.npy"
        if not file.exists():
            began = time.process_time()
            model = load_denoiser(self.args.start / "denoiser")[0]
            for number in range(0 if name == "start" else ROUNDS):
                model = self._round(ARMS[name], model, seed, number)
            found = self._sample(model, self.args.count, 42, "sample_evaluation")
            np.save(file, found.numpy().astype(np.float16))
            print(f"{name} seed {seed}: {time.process_time() - began:.0f} CPU s", flush=True)
        return np.load(file)

    def matched(self, samples: np.ndarray) -> np.ndarray:
        """With mean and standard deviation per channel of the train latents, for nothing."""
        match = matching(moments_of([samples]), moments_of([self.latents.train.numpy()]))
        return match(samples).astype(np.float16)

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


def _run(stage: object) -> Trained:
    with tempfile.TemporaryDirectory() as folder:
        return Loop(stage, ResumeState(Path(folder), "study"), 1e9).run()  # type: ignore[arg-type]


def runs_of(
    found: dict[str, dict[str, Figure]], arms: list[str], seeds: list[int]
) -> dict[str, list[dict[str, Figure]]]:
    """The figures of each row's runs; of what is not trained there is one."""
    single = {name: [figures] for name, figures in found.items() if "__" not in name}
    return single | {arm: [found[f"{arm}__{seed}"] for seed in seeds] for arm in arms}


def table(runs: dict[str, list[dict[str, Figure]]]) -> str:
    """Figures of every row, then differences to each control, all with 95 % intervals."""
    head = ["| arm | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    lines = [*head, *(_row(arm, of, [{}] * len(of), ".4g") for arm, of in runs.items())]
    trained = [arm for arm in runs if arm in ARMS]
    for control in (arm for arm in trained if arm.startswith("control")):
        lines += ["", f"Minus `{control}`, paired seed by seed:", "", *head]
        theirs = runs[control]
        for arm in BASELINES:
            lines.append(_row(arm, runs[arm] * len(theirs), theirs, "+.4g"))
        lines += [_row(arm, runs[arm], theirs, "+.4g") for arm in trained if arm != control]
    return "\n".join(lines)


def _row(
    arm: str, ours: list[dict[str, Figure]], theirs: list[dict[str, Figure]], form: str
) -> str:
    """A line of the table: figures, minus those of `theirs` where there are any."""
    cells = []
    for figure in FIGURES:
        if figure not in ours[0]:
            cells.append("")
            continue
        pairs = zip(ours, theirs, strict=True)
        e = estimate_of([a[figure].minus(b[figure]) if b else a[figure] for a, b in pairs])
        low, high = e.interval
        cells.append(f"{e.value:{form}} [{low:{form}}, {high:{form}}]")
    return f"| {arm} | {' | '.join(cells)} |"


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
    parser.add_argument("--decoded", type=int, default=1000, help="of these samples decoded")
    parser.add_argument("--split", choices=("val", "test"), default="test", help="val to search")
    parser.add_argument("--table", type=Path, default=None)
    parser.add_argument("--picture", type=Path, default=None)
    args = parser.parse_args()
    study = Study(args)
    judge = StudyJudge(args, study.compute)
    found = {"decoded reals": judge.decoded_reals()}
    start = study.samples("start", 42)
    for name, rows in zip(BASELINES, (start, study.matched(start)), strict=True):
        found[name] = judge.figures(rows)
    for seed in args.seeds:
        for arm in args.arms:
            found[f"{arm}__{seed}"] = judge.figures(study.samples(arm, seed))
    runs = runs_of(found, args.arms, args.seeds)
    text = table(runs)
    print(text)
    if args.picture:
        draw(runs, FIGURES, args.picture)
    if args.table:
        head = (
            f"# Study of objectives\n\n{len(args.seeds)} fine-tunings of one start (seeds "
            f"{args.seeds}), {args.count} samples of each, {len(judge.held_out)} of split "
            f"{args.split} held out; 95 % intervals, not corrected for the number of arms; "
            f"{study.compute.description}, {platform.machine()}.\n\n"
        )
        write_text(args.table, head + text + "\n")


if __name__ == "__main__":
    main()
