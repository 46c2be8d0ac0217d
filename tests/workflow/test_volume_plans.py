"""Volumes are packed when something needs them, from what their manifest names."""

import json

import pytest
from volume_files import ct, write_manifest, write_nifti
from workspace import LOCAL, job

from sparring.artefacts.volumes import Volumes

CHESTS, SCANS = "results/datasets/chests/volumes.h5", "results/datasets/scans/volumes.h5"


@pytest.fixture
def volumes(workspace):
    """Two datasets of volumes beside the layouts."""
    rows = []
    for n, split in enumerate(("train", "val", "test")):
        write_nifti(workspace / f"scans/{n}.nii.gz", ct(seed=n))
        rows.append({"volume_path": f"{n}.nii.gz", "patient_id": str(n), "split": split})
    write_manifest(workspace / "scans" / "volumes.csv", rows)
    workspace.config["datasets"] |= {
        "chests": {"kind": "phantoms", "num_volumes": 3, "size": 32},
        "scans": {"kind": "nifti", "manifest": "scans/volumes.csv"},
    }
    return workspace


def test_volumes_that_nothing_needs_are_not_packed(volumes):
    assert not [planned for planned in volumes.plan() if planned[0] == "pack_volumes"]


def test_volumes_are_packed_alone_and_planned_again_when_one_changes(volumes):
    targets = CHESTS, SCANS
    both = {job("pack_volumes", dataset="chests"), job("pack_volumes", dataset="scans")}
    assert volumes.plan(*targets) == both
    done = volumes.snakemake(*LOCAL, *targets)
    assert done.returncode == 0, done.stderr
    assert len(Volumes(volumes / CHESTS)) == len(Volumes(volumes / SCANS)) == 3
    record = json.loads(
        (volumes / "results/datasets/chests/settings/pack_volumes.json").read_text()
    )
    assert record["settings"]["dataset"] == volumes.config["datasets"]["chests"]
    assert volumes.plan(*targets) == set()
    write_nifti(volumes / "scans/1.nii.gz", ct(seed=9))
    assert volumes.plan(*targets) == {job("pack_volumes", dataset="scans")}


def test_layouts_are_not_volumes_nor_volumes_layouts(volumes):
    for target in ("results/datasets/tiny/volumes.h5", "results/datasets/chests/layouts.h5"):
        done = volumes.snakemake(*LOCAL, "--dry-run", target)
        assert done.returncode != 0
        assert "MissingRuleException" in done.stderr + done.stdout


def test_an_experiment_on_layouts_refuses_volumes(volumes):
    volumes.experiments["base"]["dataset"] = "chests"
    done = volumes.snakemake("--cores", "1")
    expected = "datasets.chests.kind is 'phantoms', volumes, but layouts are wanted"
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if expected in line], done.stderr
    assert "Traceback" not in done.stderr
