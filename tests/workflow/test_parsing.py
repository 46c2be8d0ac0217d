"""Parsing: without torch, for many experiments, and from another workflow's Snakefile."""

import time

import pytest
import yaml
from workspace import REPOSITORY, planned_jobs, run_snakemake

PER_ITERATION = (
    3 + 2 * 4
)  # reals, fakes, discriminator; an arm fine-tunes, samples, is judged twice
# the start, its baselines and the null are judged; verdict, table, choice, picture
PER_EXPERIMENT = 3 * 3 + 2 + 4
SHARED = 4  # layouts, autoencoder, latents, stage 1


def test_parsing_imports_no_torch(workspace, tmp_path_factory):
    """Every cluster job parses the workflow again; torch alone takes longer than all of it."""
    stub = tmp_path_factory.mktemp("stub")
    for name in ("torch", "diffusers"):
        (stub / f"{name}.py").write_text(f"raise ImportError('{name} was imported')\n")
    done = workspace.snakemake("--dry-run", PYTHONPATH=str(stub))
    assert done.returncode == 0, done.stderr
    assert (
        len(planned_jobs(done.stdout + done.stderr)) == SHARED + 2 * PER_ITERATION + PER_EXPERIMENT
    )


def test_thirty_iterations_of_ten_experiments_are_planned(workspace):
    micro = workspace.experiments["micro"] | {"iterations": 30}
    names = [f"micro_{n}" for n in range(10)]
    workspace.experiments |= {name: micro | {"seed": n} for n, name in enumerate(names)}
    workspace.config["experiments"] = names
    began = time.monotonic()
    planned = workspace.plan("--quiet", "host")
    print(f"dry run of {len(planned)} jobs: {time.monotonic() - began:.1f} s")
    assert len(planned) == SHARED + 10 * (30 * PER_ITERATION + PER_EXPERIMENT)


def test_seven_hundred_iterations_stay_clear_of_the_recursion_limit(workspace):
    """Snakemake walks the chain of iterations recursively; Python's default ends before 600."""
    workspace.experiments["micro"]["iterations"] = 700
    last = "results/micro/adversarial/iteration_699/discriminator_history.csv"
    planned = workspace.plan(last)
    assert len(planned) == SHARED + 700 * 3 + 699


MODULE = """
configfile: "config.yaml"

module sparring:
    snakefile: "{repository}/workflow/Snakefile"
    config: config

use rule * from sparring{naming}

rule everything:
    default_target: True
    input:
        "results/micro/selected.json",

onstart:
    sparring.onstart()
"""


@pytest.mark.parametrize("naming", ["", " as sparring_*"])
def test_use_as_a_module(workspace, naming):
    """From another directory, also under other rule names; a job finds program and settings."""
    workspace.write()
    text = MODULE.format(repository=REPOSITORY, naming=naming)
    (workspace / "Snakefile").write_text(text)
    dry = run_snakemake(workspace.directory, "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    # all but the table and the picture, which select_best does not need, and with `everything`
    expected = SHARED + 2 * PER_ITERATION + PER_EXPERIMENT - 2 + 1
    assert len(planned_jobs(dry.stdout + dry.stderr)) == expected
    wet = run_snakemake(workspace.directory, "--cores=1", "results/datasets/tiny/layouts.h5")
    assert wet.returncode == 0, wet.stdout + wet.stderr
    assert (workspace / "results/datasets/tiny/layouts.h5").is_file()


def test_the_catalogue_file_plans_what_the_root_file_plans(workspace):
    workspace.write()
    catalogue = run_snakemake(
        workspace.directory,
        f"--snakefile={REPOSITORY / 'workflow' / 'Snakefile'}",
        "--configfile=config.yaml",
        "--dry-run",
    )
    assert catalogue.returncode == 0, catalogue.stderr
    planned = set(planned_jobs(catalogue.stdout + catalogue.stderr))
    assert planned - {("default", ())} == workspace.plan()


def test_shipped_configuration_parses(tmp_path):
    """config/config.yaml with its requested experiments, as `snakemake -n` in a checkout."""
    (tmp_path / "config").symlink_to(REPOSITORY / "config")
    done = run_snakemake(tmp_path, f"--snakefile={REPOSITORY / 'Snakefile'}", "--dry-run")
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    planned = planned_jobs(done.stdout + done.stderr)
    for name in config["experiments"]:
        assert any(("experiment", name) in wildcards for _, wildcards in planned)
