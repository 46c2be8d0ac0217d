"""A stage program: its exit status, what a second run does, and what no death leaves behind."""

import json
import signal
import time

import pytest

SIGNALS = [signal.SIGTERM, signal.SIGUSR2, signal.SIGINT]


def end(process) -> tuple[int, list[str]]:
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors.splitlines()


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def test_finished_work_is_status_0_with_outputs_record_and_log(stage, finished_files):
    status, errors = stage.run()
    assert status == 0, errors
    assert stage.output.read_text() == "aaa"
    assert stage.table.read_text() == "3 steps\n"
    assert stage.files == finished_files
    record = json.loads((stage.results / "settings" / "count_steps.json").read_text())
    assert record["settings"] == json.loads(stage.job.read_text())["settings"]
    assert set(record["versions"]) == {"sparring", "torch", "diffusers"}
    assert stage.attempts == ["finished"]
    assert stage.log.exists()


def test_a_user_s_error_is_status_2_and_one_line(stage):
    stage.plan(steps=1, ending="refused")
    assert stage.run() == (2, ["[place/count_steps] the input is of no use; take another"])
    assert stage.attempts == ["failed"]
    assert stage.files == ["checkpoint.pt", "job.json"]
    assert "the input is of no use" in stage.log.read_text()


def test_a_bug_is_status_1_with_its_traceback_in_the_log(stage):
    stage.plan(steps=1, ending="crash")
    status, errors = stage.run()
    assert status == 1
    assert errors[-1] == "ZeroDivisionError: a bug"
    assert "Traceback" in stage.log.read_text()
    assert stage.attempts == ["failed"]
    assert stage.files == ["checkpoint.pt", "job.json"]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_status_75_after_the_step_and_running_again_goes_on(
    stage, finished_files, number
):
    stage.plan(steps=4, seconds=0.3)
    process = stage.start()
    stage.wait_for_steps(2)
    process.send_signal(number)
    status, errors = end(process)
    assert status == 75
    assert errors[-1].startswith(f"[place/count_steps] {number.name} came: stopped in good order")
    assert stage.files == ["checkpoint.pt", "job.json"]
    assert stage.run()[0] == 0
    assert stage.steps == [0, 1, 2, 3]
    assert stage.output.read_text() == "aaaa"
    assert stage.files == finished_files
    assert stage.attempts == ["interrupted", "finished"]


@pytest.mark.parametrize("variable", ["LSB_JOBID", "SLURM_JOB_ID"])
def test_a_scheduler_s_job_stops_itself_before_its_wall_time(stage, variable):
    stage.plan(steps=1000, seconds=0.1, margin=3.0)
    status, errors = stage.run("--runtime", "3.01", **{variable: "17"})
    assert status == 75
    assert "the wall time of 3.01 min is near: stopped in good order" in errors[-1]
    assert 0 < len(stage.steps) < 1000
    assert stage.attempts == ["interrupted"]


@pytest.mark.parametrize(
    ("options", "environment"),
    [(["--runtime", "3.001"], {}), ([], {"LSB_JOBID": "17"})],
    ids=["no scheduler", "no wall time"],
)
def test_without_a_scheduler_or_a_wall_time_nothing_stops_it(stage, options, environment):
    stage.plan(steps=5, seconds=0.1, margin=3.0)
    assert stage.run(*options, **environment)[0] == 0
    assert len(stage.steps) == 5


def test_a_second_run_finds_the_work_finished(stage, finished_files):
    stage.run()
    before = stage.output.stat().st_ino, stage.table.stat().st_ino
    status, errors = stage.run("--threads", "2", "--runtime", "90")
    assert status == 0
    assert "finished before with these settings and inputs" in errors[-1]
    assert (stage.output.stat().st_ino, stage.table.stat().st_ino) == before
    assert len(stage.steps) == 3
    assert stage.files == finished_files
    assert stage.attempts == ["finished", "already finished"]


def test_outputs_that_snakemake_deleted_are_put_back_without_work(stage, finished_files):
    stage.run()
    stage.output.unlink()
    stage.table.unlink()
    assert stage.run()[0] == 0
    assert stage.output.read_text() == "aaa"
    assert stage.files == finished_files
    assert len(stage.steps) == 3


def test_outputs_deleted_before_it_ends_are_put_back_at_its_end(stage, finished_files):
    """Snakemake deletes them when it starts a copy of the job."""
    stage.plan(steps=3, lingering=1.0)
    process = stage.start()
    wait_until(stage.output.exists)
    stage.output.unlink()
    stage.table.unlink()
    assert end(process)[0] == 0
    assert stage.output.read_text() == "aaa"
    assert stage.table.read_text() == "3 steps\n"
    assert stage.files == finished_files


@pytest.mark.parametrize("change", ["input", "settings", "output's name"])
def test_other_work_is_done_anew(stage, finished_files, change):
    stage.run()
    if change == "input":
        stage.input.write_text("b")
    elif change == "settings":
        stage.plan(steps=4)
    else:
        stage.output = stage.results / "renamed.txt"
        finished_files = sorted([*finished_files, "renamed.txt"])
    assert stage.run()[0] == 0
    expected = {"input": "bbb", "settings": "aaaa", "output's name": "aaa"}
    assert stage.output.read_text() == expected[change]
    assert len(stage.steps) == (7 if change == "settings" else 6)
    assert stage.files == finished_files


def test_the_same_input_under_another_date_is_no_other_work(stage):
    stage.run()
    stage.input.write_text("a")
    stage.run()
    assert len(stage.steps) == 3


def test_of_two_copies_one_works_and_the_other_finds_it_finished(stage, finished_files):
    stage.plan(steps=5, seconds=0.2)
    copies = [stage.start(), stage.start()]
    assert [end(copy)[0] for copy in copies] == [0, 0]
    assert stage.steps == [0, 1, 2, 3, 4]
    assert stage.output.read_text() == "aaaaa"
    assert stage.files == finished_files
    assert sorted(stage.attempts) == ["already finished", "finished"]


def test_a_copy_that_waits_for_its_lock_can_be_stopped(stage):
    stage.plan(steps=1000, seconds=0.1)
    first = stage.start()
    stage.wait_for_steps(1)
    waiting = stage.start()
    line = next(
        line for line in waiting.stderr if "waiting for it to finish this same work" in line
    )
    assert f"process {first.pid}" in line
    waiting.send_signal(signal.SIGTERM)
    assert end(waiting)[0] == 75
    first.send_signal(signal.SIGTERM)
    assert end(first)[0] == 75
    assert stage.steps == list(range(len(stage.steps)))


def test_a_job_of_newer_settings_stops_the_outdated_one_and_does_its_own_work(stage):
    """The outdated one was queued before the configuration was edited."""
    stage.plan(steps=1000, seconds=0.1, timeout=3.0)
    outdated = stage.start()
    stage.wait_for_steps(1)
    stage.plan(steps=2, timeout=3.0)
    newer = stage.start()
    status, errors = end(outdated)
    assert status == 75
    assert "a job with newer settings or inputs waits" in errors[-1]
    assert end(newer)[0] == 0
    assert stage.table.read_text() == "2 steps\n"


@pytest.mark.parametrize("at", [1, 2, 3])
def test_after_kill_9_the_next_goes_on_and_nothing_partial_is_left(stage, finished_files, at):
    stage.plan(steps=4, seconds=0.2)
    process = stage.start()
    stage.wait_for_steps(at)
    process.kill()
    process.wait()
    process.stderr.close()
    assert not stage.output.exists()
    assert not stage.table.exists()
    status, errors = stage.run()
    assert status == 0
    assert any("taking over from process" in line for line in errors)
    # At most the step in which it died is done again.
    assert sorted(set(stage.steps)) == [0, 1, 2, 3]
    assert len(stage.steps) <= 5
    assert stage.output.read_text() == "aaaa"
    assert stage.files == finished_files
    assert list(stage.folder.rglob("*aside*")) == []
    assert stage.attempts == ["died", "finished"]


@pytest.mark.parametrize("key", ["lock_timeout_seconds", "wall_time_margin_minutes", "log"])
def test_a_job_file_of_an_older_version_is_status_2_and_one_line(stage, key):
    content = json.loads(stage.job.read_text())
    del content[key]
    stage.job.write_text(json.dumps(content))
    status, (line,) = stage.run()
    assert status == 2
    assert line == (
        f"{stage.job}: not a job file, it has no {key}; snakemake writes it when a run begins"
    )
    assert stage.steps == []


def test_a_missing_input_is_status_2_and_one_line(stage):
    stage.input.unlink()
    status, (line,) = stage.run()
    assert status == 2
    assert f"{stage.input}: cannot be read" in line


def test_the_log_keeps_all_attempts(stage):
    stage.plan(steps=1, ending="refused")
    for _ in range(3):
        stage.run()
    assert stage.log.read_text().count("the input is of no use") == 3


def test_usage_errors_do_not_touch_anything(stage):
    process = stage.start("--no-such-option")
    assert end(process)[0] == 2
    assert stage.files == ["job.json"]
