"""How fast is the work beside the loops that are written today?

The textbook's side follows diffusers' example of unconditional training: a DataLoader of one `.pt`
file per sample, fp32, accelerate, AdamW and EMAModel as they come, `.item()` in every step; samples
by DDIMScheduler at batch 32; PNG files decoded and encoded in turn. Both sides run in this process,
alternately.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.training_utils import EMAModel
from measuring import Seconds, alternated, machine, write_table
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from workload import (
    BATCH,
    CHANNELS,
    DDIM_STEPS,
    SHAPE,
    SIDE,
    SOLVER_STEPS,
    Steps,
    denoiser,
    discriminating,
    random_latents,
    sampler,
    training,
)

from sparring.ahead import Ahead
from sparring.artefacts.latents import read_latents, writing_latents
from sparring.compute import prepare
from sparring.models.autoencoder import Codec, build_autoencoder
from sparring.settings.autoencoder import AutoencoderSettings

PRESET, PIXELS, PICTURES = "unet64_d4", 256, 16


class Files(Dataset):
    """One `.pt` file per latent."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.pt"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        return torch.load(self.paths[row])

    @staticmethod
    def write(folder: Path, latents: torch.Tensor) -> Path:
        """The folder, filled."""
        folder.mkdir()
        for row, latent in enumerate(latents):
            torch.save(latent.clone(), folder / f"{row:06d}.pt")
        return folder


def endless(loader: DataLoader) -> Iterator[torch.Tensor]:
    """Epoch after epoch."""
    while True:
        yield from loader


def textbook_training(folder: Path) -> Callable[[], None]:
    """A step of diffusers' example."""
    accelerator = Accelerator(cpu=True)
    model, noise_schedule = denoiser(PRESET).train(), DDPMScheduler()
    average = EMAModel(model.parameters(), decay=0.999, use_ema_warmup=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.0)
    loader = DataLoader(Files(folder), batch_size=BATCH, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    batches = endless(loader)

    def step() -> None:
        clean = next(batches)
        noise = torch.randn_like(clean)
        timesteps = torch.randint(0, 1000, (len(clean),))
        predicted = model(noise_schedule.add_noise(clean, noise, timesteps), timesteps).sample
        loss = F.mse_loss(predicted, noise)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.step(model.parameters())
        loss.detach().item()

    return step


@torch.no_grad()
def textbook_sampling(model: torch.nn.Module, num_steps: int) -> torch.Tensor:
    """DDIM at batch 32 as a diffusers pipeline does it."""
    schedule = DDIMScheduler(clip_sample=False)
    schedule.set_timesteps(num_steps)
    latents = torch.randn(BATCH, *SHAPE)
    for t in schedule.timesteps:
        latents = schedule.step(model(latents, t).sample, t, latents).prev_sample
    return latents


def textbook_critic() -> torch.nn.Module:
    """The same layers, as DCGAN's discriminator is written today."""
    widths, layers = [CHANNELS, 64, 128, 256, 512], []
    for level, (before, after) in enumerate(pairwise(widths)):
        layers.append(torch.nn.Conv2d(before, after, 4, stride=2, padding=1))
        if level > 0:
            layers.append(torch.nn.GroupNorm(8, after))
        layers.append(torch.nn.LeakyReLU(0.2))
    layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(512, 1)]
    return torch.nn.Sequential(*layers)


def textbook_discriminator(reals: Path, fakes: Path) -> Callable[[], None]:
    """An epoch over files: reals and fakes in turn, numbers read in every step."""
    model = textbook_critic()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loaders = [DataLoader(Files(f), batch_size=BATCH, shuffle=True) for f in (reals, fakes)]

    def epoch() -> None:
        for real, fake in zip(*loaders, strict=True):
            on_reals, on_fakes = model(real)[:, 0], model(fake)[:, 0]
            loss = F.binary_cross_entropy_with_logits(on_reals, torch.ones_like(on_reals))
            loss = loss + F.binary_cross_entropy_with_logits(on_fakes, torch.zeros_like(on_fakes))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            (on_reals > 0).float().mean().item()
            (on_fakes < 0).float().mean().item()

    return epoch


def encoders(folder: Path) -> dict[str, Callable[[], object]]:
    """Pictures of 256 x 256 through an encoder, from PNG files and from what packing made."""
    from sparring.artefacts.layouts import LayoutRow, Layouts, writing_layouts

    compute, size = prepare("cpu", "auto", torch.get_num_threads()), 4
    settings = AutoencoderSettings.model_validate(
        {"dataset": "bench", "latent_channels": CHANNELS, "block_out_channels": (32, 64, 64, 64)}
    )
    codec = Codec(build_autoencoder(settings, 0, PIXELS), None, compute)
    codec.model.eval().requires_grad_(False)
    pictures = np.random.default_rng(0).integers(256, size=(PICTURES, PIXELS, PIXELS, 3))
    with writing_layouts(folder / "layouts.h5", None) as writer:
        for n, picture in enumerate(pictures.astype(np.uint8)):
            Image.fromarray(picture).save(folder / f"{n:03d}.png")
            name = str(n)
            writer.append(picture.astype(np.uint8), LayoutRow(name, name, name, "train", False))

    @torch.no_grad()
    def textbook() -> None:
        for path in sorted(folder.glob("*.png")):
            pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)
            picture = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
            latent = codec.model.encode(picture).latent_dist.mode()[0]
            torch.save(latent.clone(), path.with_suffix(".pt"))

    def ours() -> None:
        layouts = Layouts(folder / "layouts.h5")
        rows = layouts.rows("train")
        read = Ahead(lambda n: layouts.read(rows[n * size :][:size]), PICTURES // size, 1)
        with writing_latents(folder / "encoded.h5", PICTURES, {"kind": "encoded"}) as writer:
            for n in range(PICTURES // size):
                writer.append(codec.encode(read(n)).numpy())

    return {"ours": ours, "textbook": textbook}


def row(what: str, found: dict[str, Seconds], target: str, factor: float = 1.0) -> str:
    """`factor` is how much less of the work ours does."""
    ours, textbook = found["ours"], found["textbook"]
    cells = f"{textbook.wall:.3g} | {ours.wall:.3g} | {textbook.cpu:.3g} | {ours.cpu:.3g}"
    ratios = f"{factor * textbook.wall / ours.wall:.1f} | {factor * textbook.cpu / ours.cpu:.1f}"
    return f"| {what} | {cells} | {ratios} | {target} |"


def reading(folder: Path, count: int) -> dict[str, Callable[[], object]]:
    """All latents into memory."""
    latents, path = random_latents(count), folder / f"{count}.h5"
    with writing_latents(path, count, {"kind": "encoded"}) as writer:
        writer.append(latents.numpy())
    loader = DataLoader(Files(Files.write(folder / f"{count}", latents)), batch_size=BATCH)
    return {"ours": lambda: read_latents(path), "textbook": lambda: list(loader)}


def table(repeats: int, count: int, folder: Path) -> Iterator[str]:
    """A row per question."""
    compute = prepare("cpu", "auto", torch.get_num_threads())
    reals = Files.write(folder / "reals", random_latents(count))
    fakes = Files.write(folder / "fakes", random_latents(count, 1))
    columns = "textbook s | ours s | textbook CPU s | ours CPU s | ratio | ratio of CPU s | target"
    yield f"| work | {columns} |"
    yield "|---" * 8 + "|"
    for many in (count, 4 * count):
        yield row(f"read {many:,} latents", alternated(reading(folder, many), repeats), "10")
    learning = {
        "ours": Steps(training(PRESET, compute, random_latents(count))),
        "textbook": textbook_training(reals),
    }
    yield row("training step, batch 32", alternated(learning, repeats), "2")
    del learning
    ours, model = sampler(PRESET, compute, 2), denoiser(PRESET).eval()
    sampling = {
        "ours": lambda: ours.sample(range(BATCH), 0, "bench"),
        "textbook": lambda: textbook_sampling(model, 2),
    }
    found = alternated(sampling, repeats)
    yield row("sample 32, two DDIM steps", found, "2.5")
    yield row(
        f"the same, {SOLVER_STEPS} solver steps for 100", found, "8", DDIM_STEPS / SOLVER_STEPS
    )
    stage = discriminating(compute, count)
    epoch = {
        "ours": lambda: float(Steps(stage)(stage.steps_per_epoch)),
        "textbook": textbook_discriminator(reals, fakes),
    }
    # Of ours a fifth of the rows validates, so an epoch is that much shorter.
    share = stage.steps_per_epoch / -(-count // BATCH)
    yield row(f"discriminator epoch, {count} + {count}", alternated(epoch, repeats), "5", share)
    (folder / "pictures").mkdir()
    found = alternated(encoders(folder / "pictures"), repeats)
    yield row(f"encode {PICTURES} pictures of {PIXELS}", found, "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--count", type=int, default=512, help="latents as files")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    call = f"--threads {args.threads} --repeats {args.repeats} --count {args.count}"
    intro = (
        f"`python bench/against_textbook.py {call}`. {machine()}. {PRESET} on latents "
        f"{CHANNELS}x{SIDE}x{SIDE}. Medians of alternated runs; a ratio above 1 is ours being "
        "faster, per unit of work. CPU seconds are of all threads and leave out waiting for other "
        "programs of the machine. The row of the solver multiplies the row above by the steps "
        "saved; tests/unit/sampling/test_solver_agreement.py bounds how far its samples lie."
    )
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        for line in table(args.repeats, args.count, Path(place)):
            lines.append(line)
            write_table("against_textbook", "The same work beside textbook loops", intro, lines)
