"""What does a whole volume of 512x512x604 cost, in memory and time?

The network is as small as they come: what is measured is the windows around it. Each row is a
process of its own that reads int16 HU from an HDF5 file box by box and writes HU to another, or
from a compressed NIfTI file to another; MONAI's row holds input, output and counts as it does.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sparring.artefacts.atomic import write_text

FULL, LONG = (512, 512, 604), (512, 512, 1208)
HU_WINDOW = (-1000.0, 1000.0)
OVERLAP = 0.25
CASES = {
    "libraries alone": ("nothing", FULL, 128, "tiny"),
    "Sparring, box by box": ("boxes", FULL, 128, "tiny"),
    "Sparring, twice as long": ("boxes", LONG, 128, "tiny"),
    "Sparring, smaller windows": ("boxes", FULL, 64, "tiny"),
    "Sparring, NIfTI to NIfTI": ("file", FULL, 128, "tiny"),
    "MONAI's sliding_window_inference": ("monai", FULL, 128, "tiny"),
    "Sparring, identity": ("boxes", FULL, 128, "identity"),
}


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def network(name: str):
    """The identity, or four voxels a side to a cell of eight channels and back."""
    import torch
    from torch import nn

    if name == "identity":
        return lambda x: x
    torch.manual_seed(0)
    down, up = nn.Conv3d(1, 8, 4, stride=4), nn.ConvTranspose3d(8, 1, 4, stride=4)
    model = nn.Sequential(down, nn.SiLU(), up).eval()
    return torch.no_grad()(lambda x: model(x).clamp(-1, 1))


def synthetic(folder: Path) -> None:
    """A phantom repeated, as HDF5 and as compressed NIfTI."""
    import h5py
    import nibabel
    import numpy as np

    from sparring.data.phantoms import generate_phantom

    phantom = generate_phantom(42, 0, 128)
    volume = np.tile(phantom, (4, 4, 10))[: LONG[0], : LONG[1], : LONG[2]]
    with h5py.File(folder / "volume.h5", "w") as file:
        file.create_dataset("hu", data=volume, chunks=(64, 64, 64))
    image = nibabel.Nifti1Image(volume[:, :, : FULL[2]], np.diag([0.7, 0.7, 0.5, 1]))
    nibabel.save(image, folder / "volume.nii.gz")


def by_boxes(folder: Path, shape: tuple[int, ...], window: int, name: str) -> bool:
    """HDF5 to HDF5; returns whether the output is the input."""
    import h5py
    import numpy as np

    from sparring.artefacts.volumes import normalise, to_hu
    from sparring.inference.windows import blend

    with h5py.File(folder / "volume.h5") as source, h5py.File(folder / "out.h5", "w") as target:
        hu = source["hu"]
        out = target.create_dataset("hu", shape=shape, dtype="i2", chunks=(64, 64, 64))

        def write(box, values):
            out[box] = np.rint(to_hu(values, HU_WINDOW)).astype(np.int16)

        def read(box):
            return normalise(hu[box], HU_WINDOW)

        blend(read, shape, network(name), window, OVERLAP, write)
        slabs = (slice(z, min(z + 32, shape[2])) for z in range(0, shape[2], 32))
        return all(np.array_equal(np.clip(hu[:, :, z], *HU_WINDOW), out[:, :, z]) for z in slabs)


def by_file(folder: Path, shape: tuple[int, ...], window: int, name: str) -> bool:
    """NIfTI to NIfTI."""
    from sparring.inference.reconstruction import reconstruct_file
    from sparring.settings.volumes import VolumeGrid, WindowSettings

    settings = WindowSettings(window=window, overlap=OVERLAP)
    source, target = folder / "volume.nii.gz", folder / "out.nii.gz"
    reconstruct_file(source, target, network(name), VolumeGrid(), HU_WINDOW, settings)
    return False


def by_monai(folder: Path, shape: tuple[int, ...], window: int, name: str) -> bool:
    """The whole volume as a tensor."""
    import h5py
    import torch
    from monai.inferers import sliding_window_inference

    from sparring.artefacts.volumes import normalise

    with h5py.File(folder / "volume.h5") as source:
        hu = source["hu"][:, :, : shape[2]]
        volume = torch.from_numpy(normalise(hu, HU_WINDOW))[None, None]
    sliding_window_inference(volume, window, 1, network(name), OVERLAP, mode="gaussian")
    return False


def run(how: str, shape: list[int], window: int, name: str, folder: str) -> dict[str, float]:
    """One case: seconds, peak memory, and whether the output is the input."""
    import torch

    import sparring.inference.reconstruction  # noqa: F401  (what every row loads)

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    ways = {"boxes": by_boxes, "file": by_file, "monai": by_monai}
    start, start_cpu = time.perf_counter(), time.process_time()
    same = how in ways and ways[how](Path(folder), tuple(shape), window, name)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {"seconds": seconds, "cpu": cpu, "peak": peak_mb(), "same": same}


def table(folder: Path) -> str:
    """Markdown with one row per case."""
    import torch

    lines = [
        "# Whole volumes: memory and speed",
        "",
        f"`OMP_NUM_THREADS=1 python bench/volume_inference.py`, {platform.machine()}, Python "
        f"{platform.python_version()}, torch {torch.__version__}. A synthetic volume of "
        "512x512x604 voxels (int16: 317 MB; float32: 633 MB), windows that overlap by "
        f"{OVERLAP:.0%}, a network of 1,033 parameters in fp32. `peak` is the process's peak "
        "resident memory, libraries and all. Reading and writing are in the time. Voxels per "
        "second of processor time: other programs may have run beside (load "
        f"{os.getloadavg()[1]:.1f} on {os.cpu_count()} cores at the start).",
        "",
        "| how | voxels | window | peak in MB | seconds | of a processor | million voxels/s "
        "| output is the input |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, (how, shape, window, name) in CASES.items():
        command = [sys.executable, __file__, "--case"]
        command += [json.dumps([how, shape, window, name, str(folder)])]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(answer.stdout.splitlines()[-1])
        size = shape[0] * shape[1] * shape[2]
        figures = "| | | | |" if how == "nothing" else (
            f"{found['seconds']:.0f} | {found['cpu']:.0f} | {size / found['cpu'] / 1e6:.1f} | "
            f"{('yes, every voxel' if found['same'] else 'no') if name == 'identity' else ''} |"
        )  # fmt: skip
        place = "x".join(map(str, shape)) if how != "nothing" else ""
        side = window if how != "nothing" else ""
        lines.append(f"| {title} | {place} | {side} | {found['peak']:.0f} | {figures}")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Draw the volume in a process of its own, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(run(*args.case)))
    elif args.draw:
        synthetic(args.draw)
    else:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, __file__, "--draw", folder], check=True)
            text = table(Path(folder))
        write_text(Path(__file__).parent / "results" / "volume_inference.md", text)


if __name__ == "__main__":
    main()
