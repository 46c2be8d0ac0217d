"""Reals are drawn from training originals, keyed by seed and iteration; jobs fail in one line."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from sparring.artefacts.digests import file_digest
from sparring.artefacts.latents import latents_info, read_column, read_latents, writing_latents
from sparring.artefacts.layouts import Layouts
from sparring.errors import UserError
from sparring.settings.stages import EncodeReal, PackLayouts
from sparring.stages.data import encode_real, pack_layouts
from sparring.stages.job import Job

COUNT = 60  # a third are originals, each followed by two copies
SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


@pytest.fixture
def train(tmp_path):
    """Latents of a training split; row n holds the value n everywhere."""
    path = tmp_path / "train.h5"
    with writing_latents(path, COUNT, {"kind": "train", "autoencoder_digest": "abc"}) as writer:
        rows = np.arange(COUNT, dtype=np.float32)
        writer.append(np.broadcast_to(rows[:, None, None, None], (COUNT, 2, 4, 4)))
        writer.column("sample_id", [f"s{n}" for n in range(COUNT)])
        writer.column("original_id", [f"s{n // 3 * 3}" for n in range(COUNT)])
        writer.column("is_augmented", np.arange(COUNT) % 3 != 0)
    return path


def drawn(train, name="real.h5", **keys):
    """The rows that a draw took."""
    settings = EncodeReal(**({"seed": 1, "iteration": 0, "num_samples": 12} | keys))
    output = train.parent / name
    encode_real(Job(settings, Path("job.json"), {}), train, output)
    return read_latents(output)[:, 0, 0, 0].astype(int).tolist()


def test_a_draw_takes_distinct_originals_and_copies_them_unchanged(train):
    rows = drawn(train)
    assert len(set(rows)) == 12
    assert all(row % 3 == 0 for row in rows)
    real = train.parent / "real.h5"
    np.testing.assert_array_equal(read_latents(real), read_latents(train, np.array(rows)))
    assert read_column(real, "sample_id").tolist() == [f"s{n}" for n in rows]
    assert read_column(real, "original_id").tolist() == [f"s{n}" for n in rows]


def test_copies_are_drawn_only_when_asked_for(train):
    rows = drawn(train, num_samples=COUNT, augmented=True)
    assert sorted(rows) == list(range(COUNT))
    assert all(row % 3 == 0 for seed in range(20) for row in drawn(train, seed=seed))


def test_copies_that_are_drawn_keep_their_original_s_id(train):
    """The discriminator's validation is cut by it."""
    rows = drawn(train, num_samples=COUNT, augmented=True)
    ids = read_column(train.parent / "real.h5", "original_id").tolist()
    assert ids == [f"s{n // 3 * 3}" for n in rows]


def test_a_draw_follows_seed_and_iteration_and_nothing_else(train):
    drawn(train, "a.h5")
    drawn(train, "b.h5")
    assert (train.parent / "a.h5").read_bytes() == (train.parent / "b.h5").read_bytes()
    draws = {
        tuple(drawn(train, seed=seed, iteration=iteration))
        for seed in (1, 2)
        for iteration in (0, 1, 11)
    }
    assert len(draws) == 6


def test_over_many_iterations_every_original_is_drawn_about_equally_often(train):
    counts = np.zeros(COUNT)
    for iteration in range(100):
        counts[drawn(train, iteration=iteration)] += 1
    # 100 draws of 12 of 20: 60 each, standard deviation 4.9
    assert counts[::3].min() > 60 - 5 * 4.9
    assert counts[::3].max() < 60 + 5 * 4.9


def test_the_reals_are_a_file_of_their_own(train):
    """A virtual dataset would read as zeros once its source is gone."""
    rows = drawn(train)
    train.unlink()
    with h5py.File(train.parent / "real.h5") as file:
        assert not file["latents"].is_virtual
        assert file["latents"][:, 0, 0, 0].astype(int).tolist() == rows


def test_the_reals_say_where_they_come_from(train):
    drawn(train, iteration=3)
    info = latents_info(train.parent / "real.h5")
    expected = {"kind": "real", "seed": 1, "iteration": 3, "source_digest": file_digest(train)}
    assert expected.items() <= info.attributes.items()
    assert info.autoencoder_digest == "abc"


def test_too_few_reals_are_refused_with_the_ways_out(train):
    with pytest.raises(UserError) as caught:
        drawn(train, num_samples=21)
    message = str(caught.value)
    assert f"{train}: has 20 latents to draw reals from, but num_samples is 21" in message
    assert "set num_samples: 20 or allow_fewer_reals: true" in message
    assert not (train.parent / "real.h5").exists()


def test_fewer_reals_are_all_there_are_when_allowed(train):
    rows = drawn(train, num_samples=21, allow_fewer_reals=True)
    assert sorted(rows) == list(range(0, COUNT, 3))


def test_the_program_packs_what_its_job_file_says(tmp_path):
    """As Snakemake calls it, with log and record where the job file says."""
    run, job = run_program(
        tmp_path, {"dataset": {"kind": "procedural", "num_layouts": 10, "size": 32}}
    )
    assert run.returncode == 0, run.stderr
    assert Layouts(tmp_path / "results" / "layouts.h5").shape == (10, 32, 32)
    assert json.loads(Path(job["record"]).read_text())["settings"] == job["settings"]
    assert "10 layouts packed" in Path(job["log"]).read_text()


def test_a_user_error_is_one_line_and_status_2(tmp_path):
    dataset = {"kind": "manifest", "manifest": str(tmp_path / "none.csv")}
    run, job = run_program(tmp_path, {"dataset": dataset})
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith("[datasets/d/pack_layouts] ")
    assert f"{tmp_path / 'none.csv'}: manifest cannot be read" in line
    assert "manifest cannot be read" in Path(job["log"]).read_text()
    assert not (tmp_path / "results" / "layouts.h5").exists()
    assert not Path(job["record"]).exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "not a readable job file"),
        ("{", "not a readable job file"),
        ("[]", "not a job file, it has no checkpoint_minutes, device, lock_timeout"),
        ('{"settings": {}}', "not a job file, it has no checkpoint_minutes, device, lock_timeout"),
    ],
)
def test_a_faulty_job_file_is_one_line_and_status_2(tmp_path, content, expected):
    run, _ = run_program(tmp_path, {}, content=content)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"{tmp_path / 'state' / 'job.json'}: {expected}")
    assert "snakemake writes it when a run begins" in line


def test_the_settings_of_another_stage_are_refused(tmp_path):
    run, _ = run_program(tmp_path, {"seed": 1}, stage="encode_real")
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert "settings are for stage 'encode_real' revision 1, expected 'pack_layouts'" in line


def test_a_log_that_cannot_be_written_is_one_line_and_status_2(tmp_path):
    (tmp_path / "logs").write_text("a file where a folder should be")
    run, job = run_program(tmp_path, {"dataset": {"kind": "procedural"}})
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert f"{job['log']}: cannot be written: part of its path is a file" in line


def run_program(tmp_path, settings, stage="pack_layouts", content=""):
    """Run pack_layouts.py on a job file; `content` replaces the file's text, None removes it."""
    job = {
        "name": "datasets/d/pack_layouts",
        "settings": {"stage": stage, "revision": 1} | settings,
        "device": "cpu",
        "precision": "auto",
        "checkpoint_minutes": 5.0,
        "wall_time_margin_minutes": 3.0,
        "lock_timeout_seconds": 60.0,
        "tracker": "none",
        "record": str(tmp_path / "results" / "settings" / "pack_layouts.json"),
        "log": str(tmp_path / "logs" / "pack_layouts.log"),
    }
    path = tmp_path / "state" / "job.json"
    path.parent.mkdir()
    if content is not None:
        path.write_text(content or json.dumps(job))
    command = [sys.executable, str(SCRIPTS / "pack_layouts.py"), "--job", str(path)]
    command += ["--output", str(tmp_path / "results" / "layouts.h5")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return run, job


def test_a_stage_called_from_python_needs_no_program(tmp_path):
    settings = PackLayouts.from_json(
        '{"stage": "pack_layouts", "revision": 1, '
        '"dataset": {"kind": "procedural", "num_layouts": 10, "size": 32}}',
        "test",
    )
    pack_layouts(Job(settings, Path("job.json"), {}), tmp_path / "layouts.h5")
    assert Layouts(tmp_path / "layouts.h5").shape == (10, 32, 32)
