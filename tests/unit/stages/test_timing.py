"""A control of equal time gets the epochs that the measured times say, or the usual ones."""

import json

import pytest

from sparring.artefacts.attempts import COLUMNS, attempts_file
from sparring.errors import UserError
from sparring.settings.stages import MeasureTime
from sparring.stages.job import Job
from sparring.stages.timing import epochs_digest, epochs_of, measure_time


@pytest.fixture
def jobs(tmp_path):
    """Makes logs of finished jobs that took so many seconds of a device."""

    def made(*seconds, arm="adversarial", device="cpu"):
        logs = []
        for n, spent in enumerate(seconds):
            log = tmp_path / f"{arm}_{n}.log"
            row = dict.fromkeys(COLUMNS, "") | {"outcome": "finished", "seconds": "1000"}
            row |= {"device": device, "device_seconds": spent}
            content = f"{','.join(COLUMNS)}\n{','.join(str(row[c]) for c in COLUMNS)}\n"
            attempts_file(log).write_text(content)
            logs.append(log)
        return logs

    return made


@pytest.fixture
def measured(tmp_path):
    """What the stage writes."""

    def run(adversarial, control, epochs=10):
        settings = MeasureTime(epochs=epochs, usual_ratio=3.0)
        output = tmp_path / "time.json"
        measure_time(Job(settings, tmp_path / "job.json", {}), adversarial, control, output)
        assert epochs_of(output) == json.loads(output.read_text())["epochs"]
        return json.loads(output.read_text())

    return run


def test_epochs_take_as_long_as_all_jobs_of_the_iteration(jobs, measured):
    found = measured(jobs(10, 20, 5), jobs(20, arm="control"))
    assert (found["adversarial_seconds"], found["control_seconds"]) == (35, 20)
    assert (found["measured"], found["ratio"], found["epochs"]) == (True, 1.75, 18)


def test_a_control_never_gets_fewer_epochs_than_the_other(jobs, measured):
    assert measured(jobs(1), jobs(20, arm="control"))["epochs"] == 10


def test_another_device_s_seconds_are_no_measure(jobs, measured):
    found = measured(jobs(10, device="cuda"), jobs(20, arm="control"))
    assert (found["measured"], found["ratio"], found["epochs"]) == (False, 3, 30)


@pytest.mark.parametrize("damage", ["missing", "empty", "unfinished", "no number", "no time"])
def test_without_a_whole_record_the_usual_ratio_counts(jobs, measured, damage):
    adversarial, control = jobs(10, 20), jobs(0 if damage == "no time" else 20, arm="control")
    file = attempts_file(adversarial[1])
    changes = {"empty": "", "unfinished": file.read_text().replace("finished", "failed"),
               "no number": file.read_text().replace("20", "?")}  # fmt: skip
    if damage == "missing":
        file.unlink()
    elif damage in changes:
        file.write_text(changes[damage])
    found = measured(adversarial, control)
    assert (found["measured"], found["adversarial_seconds"], found["epochs"]) == (False, None, 30)


def test_another_time_with_as_many_epochs_is_the_same_work(tmp_path):
    digests = []
    for seconds, epochs in ((1.0, 5), (1.1, 5), (2.0, 6)):
        path = tmp_path / "time.json"
        path.write_text(json.dumps({"adversarial_seconds": seconds, "epochs": epochs}))
        digests.append(epochs_digest(path))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"epochs": 0}', '{"epochs": "3"}'])
def test_what_is_no_measured_time_is_refused(tmp_path, text):
    path = tmp_path / "time.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"time\.json: not a measured time"):
        epochs_of(path)
