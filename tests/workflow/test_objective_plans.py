"""The graph of each objective, as Snakemake plans it, and what a change of it plans again."""

from test_plans import DATA, begun, finetuned, judged, null, rounds, sparred, start, verdicts
from workspace import job

FRAME = DATA | start("base") | begun("micro") | verdicts("micro") | null("micro")


def with_objective(run, objective):
    micro = run.experiments["micro"]
    micro["adversarial"] = {"objective": objective}
    if objective == "ddo":
        del micro["discriminator"]
    return run


def guided(name, n):
    """The adversarial arm's iteration of objective guidance, from its denoiser on."""
    return judged(name, f"adversarial/iteration_{n}") | {
        job("guide_denoiser", experiment=name, iteration=n)
    }


def test_ddo_has_no_discriminator(workspace):
    expected = set(FRAME)
    for n in range(2):
        expected |= {job("sample_fake", experiment="micro", iteration=n)}
        expected |= finetuned("micro", "adversarial", n) | finetuned("micro", "control", n)
    assert with_objective(workspace, "ddo").plan() == expected


def test_guidance_trains_no_denoiser_but_the_control_s(workspace):
    expected = set(FRAME)
    for n in range(2):
        expected |= sparred("micro", n) | guided("micro", n) | finetuned("micro", "control", n)
    assert with_objective(workspace, "guidance").plan() == expected


def test_noised_has_the_jobs_of_the_reference(workspace):
    assert with_objective(workspace, "noised").plan() == FRAME | rounds("micro", range(2))


def test_another_objective_leaves_the_control_and_the_first_fakes_alone(finished):
    changed = {job("sample_fake", experiment="micro", iteration=1)} | verdicts("micro")
    for n in range(2):
        changed |= finetuned("micro", "adversarial", n)
    assert with_objective(finished, "ddo").plan() == changed


def test_replay_plans_the_discriminators_that_have_something_to_replay(finished):
    finished.experiments["micro"]["discriminator"]["replay"] = 1
    assert finished.plan() == (
        {job("train_discriminator", experiment="micro", iteration=1)}
        | finetuned("micro", "adversarial", 1)
        | verdicts("micro")
    )
