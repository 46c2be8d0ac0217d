"""Device, precision and threads are what the settings and the rule say."""

import pytest
import torch

from sparring import compute
from sparring.distributed import Group
from sparring.errors import UserError


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_gpu_that_torch_does_not_see_is_refused(monkeypatch):
    """Never fall back to the CPU quietly: a day later somebody asks why it is slow."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError) as refusal:
        compute.prepare("cuda", "auto", 1)
    for part in ("device", "'cuda'", "GPU", "device: cpu", "config.yaml"):
        assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_precision_is_the_one_asked_for(precision):
    made = compute.prepare("cpu", precision, 1)
    with made.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    assert {"fp32": "fp32", "bf16": "bf16 autocast"}[precision] in made.description


@pytest.mark.parametrize("fast", [True, False])
def test_auto_precision_follows_the_hardware(monkeypatch, fast):
    monkeypatch.setattr(compute, "_has_fast_bf16", lambda device: fast)
    assert compute.prepare("cpu", "auto", 1).bf16 is fast


def test_threads_come_from_the_rule():
    made = compute.prepare("cpu", "fp32", 2)
    assert torch.get_num_threads() == 2
    assert "2 CPU threads" in made.description


@pytest.mark.parametrize(("threads", "each"), [(4, 2), (5, 2), (1, 1)])
def test_processes_share_out_the_threads(threads, each):
    made = compute.prepare("cpu", "fp32", threads, Group(1, 2))
    assert torch.get_num_threads() == each
    assert (made.device.type, made.group.count) == ("cpu", 2)
    assert made.description.startswith("2 processes, each: cpu")


@pytest.mark.parametrize(("group", "device"), [(Group(), "cuda"), (Group(1, 2), "cuda:1")])
def test_every_process_has_its_own_gpu(monkeypatch, group, device):
    """Alone, whichever is the first that the scheduler shows."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert compute.prepare("cuda", "fp32", 1, group).device == torch.device(device)
