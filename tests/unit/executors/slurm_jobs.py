"""Jobs and groups as the Slurm executor sees them."""

from types import SimpleNamespace

from snakemake.jobs import GroupJob


def made_job(name="train", local=False, **resources):
    """A job as the executor sees it."""
    known = SimpleNamespace(**resources)
    known.get = lambda key, default=None: getattr(known, key, default)
    return SimpleNamespace(name=name, is_local=local, resources=known, is_group=lambda: False)


def made_group(*levels):
    """Snakemake's own group job; each level has resources of members that run side by side."""
    settings = SimpleNamespace(attempt=1)
    workflow = SimpleNamespace(execution_settings=settings, local_exec=False)
    shared = {"dag": SimpleNamespace(workflow=workflow), "pipe_group": None, "is_local": False}
    rule = SimpleNamespace(name="measure")
    jobs = [
        [SimpleNamespace(**shared, rule=rule, resources=asked) for asked in level]
        for level in levels
    ]
    unlimited = SimpleNamespace(get=lambda name: SimpleNamespace(value=None))
    group = GroupJob("judge", [job for level in jobs for job in level], unlimited)
    group.toposorted = jobs
    return group
