"""Device, precision and threads are what the settings and the rule say, and so is how a network is
run: it gives the same either way, and what does not compile falls back with a reason."""

import logging

import pytest
import torch
from torch import nn

from sparring import compute
from sparring.compute import Compute, Pass
from sparring.distributed import Group
from sparring.errors import UserError

CPU = torch.device("cpu")
COMPILED = Compute(CPU, bf16=False, execution="compiled")


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(3, 2)


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


def test_bf16_networks_have_their_channels_last():
    conv = nn.Conv2d(4, 8, 3)
    placed = Compute(CPU, bf16=True).place(conv)
    assert placed.weight.is_contiguous(memory_format=torch.channels_last)
    volumes = Compute(CPU, bf16=True).place(nn.Conv3d(4, 8, 3))
    assert volumes.weight.is_contiguous(memory_format=torch.channels_last_3d)
    plain = Compute(CPU, bf16=False).place(nn.Conv2d(4, 8, 3))
    assert plain.weight.is_contiguous()


@pytest.mark.parametrize("bf16", [False, True])
def test_compiled_and_eager_give_the_same(model, monkeypatch, bf16):
    """Results, gradients and the names of the weights; without the slow last step of compiling."""
    whole = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **_: whole(f, backend="aot_eager"))
    names, found = list(model.state_dict()), {}
    for execution in ("eager", "compiled"):
        run = Pass(model, model, Compute(CPU, bf16, execution=execution))
        outputs = [run(torch.ones(count, 3)) for count in (4, 2)]
        found[execution] = [*outputs, *torch.autograd.grad(outputs[0].sum(), model.parameters())]
    for eager, compiled in zip(*found.values(), strict=True):
        assert torch.equal(eager, compiled)
    assert run._compiles, "it fell back"
    assert list(model.state_dict()) == names


def test_what_fails_falls_back_and_says_why(model, monkeypatch, caplog):
    def refuse(*_, **__):
        raise RuntimeError("no compiler\nhere")

    monkeypatch.setattr(torch, "compile", refuse)
    x = torch.ones(4, 3)
    with caplog.at_level(logging.WARNING):
        run = Pass(model, model, COMPILED)
        results = [run(x), run(x)]
    assert all(torch.equal(result, model(x)) for result in results)
    assert len(caplog.records) == 1
    assert "execution compiled" in caplog.text
    assert "no compiler here" in caplog.text


def test_errors_of_the_network_itself_are_not_hidden(model):
    run = Pass(model, model, COMPILED)
    run._compile = lambda inputs: model  # as if compiled
    with pytest.raises(RuntimeError):
        run(torch.ones(4, 7))


def test_running_out_of_memory_is_no_reason_to_fall_back(model):
    def full(*_):
        raise torch.OutOfMemoryError

    run = Pass(model, model, COMPILED)
    run._compile = lambda inputs: full
    with pytest.raises(torch.OutOfMemoryError):
        run(torch.ones(4, 3))


class Broken(torch.autograd.Function):
    """Its backward does not compile."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("cannot compile the backward")


@pytest.mark.parametrize("broken", [4, 2])
def test_the_backward_is_tried_with_the_first_pass_of_a_shape(model, monkeypatch, broken):
    """A compiler that fails at the backward would otherwise end the job."""

    def compiled(function, **_):
        return lambda x: Broken.apply(function(x)) if len(x) == broken else function(x)

    monkeypatch.setattr(torch, "compile", compiled)
    run = Pass(model, model, COMPILED)
    with torch.no_grad():  # says nothing of the backward
        run(torch.ones(broken, 3))
    for count in (4, 2):
        model.zero_grad()
        run(torch.ones(count, 3)).sum().backward()
        assert model.weight.grad is not None


@pytest.mark.parametrize(("device", "mode"), [("cpu", "default"), ("cuda", "reduce-overhead")])
def test_nothing_is_compiled_before_the_first_call(model, monkeypatch, device, mode):
    modes = []
    monkeypatch.setattr(torch, "compile", lambda f, *, mode, **_: modes.append(mode) or model)
    run = Pass(model, model, Compute(torch.device(device), bf16=False, execution="compiled"))
    assert not modes
    results = [run(torch.ones(4, 3)) for _ in range(2)]
    assert modes == [mode]
    assert all(torch.equal(result, model(torch.ones(4, 3))) for result in results)


def test_results_on_a_gpu_outlive_the_next_call(model, monkeypatch):
    """Kernels that are replayed write to the same place each time."""
    place = torch.zeros(4, 2)
    monkeypatch.setattr(torch, "compile", lambda *_, **__: lambda x: place.copy_(model(x)))
    run = Pass(model, model, Compute(torch.device("cuda"), bf16=False, execution="compiled"))
    with torch.no_grad():
        first, _ = run(torch.ones(4, 3)), run(torch.zeros(4, 3))
        assert torch.equal(first, model(torch.ones(4, 3)))
