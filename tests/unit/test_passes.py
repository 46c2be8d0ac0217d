"""A pass gives the same however it is run, and what cannot be run falls back with a reason."""

import logging

import pytest
import torch
from torch import nn

from sparring.compute import Compute
from sparring.passes import Pass

CPU = torch.device("cpu")


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(3, 2)


@pytest.mark.parametrize("execution", ["graphs", "compiled"])
def test_what_fails_falls_back_and_says_why(model, monkeypatch, caplog, execution):
    def refuse(*_, **__):
        raise RuntimeError("no compiler\nhere")

    monkeypatch.setattr(torch, "compile", refuse)
    x = torch.ones(4, 3)
    with caplog.at_level(logging.WARNING):
        run = Pass(model, model, Compute(CPU, bf16=False, execution=execution))
        results = [run(x), run(x)]
    assert all(torch.equal(result, model(x)) for result in results)
    assert len(caplog.records) == 1
    reason = {"graphs": "need a GPU", "compiled": "no compiler here"}[execution]
    assert execution in caplog.text
    assert reason in caplog.text


def test_errors_of_the_network_itself_are_not_hidden(model):
    run = Pass(model, model, Compute(CPU, bf16=False, execution="compiled"))
    run._compile = lambda inputs: model  # as if compiled
    with pytest.raises(RuntimeError):
        run(torch.ones(4, 7))


def test_the_backward_is_tried_with_the_first_compiled_pass(model, monkeypatch):
    """A compiler that fails at the backward would otherwise end the job."""

    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError("cannot compile the backward")

    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda *x: Broken.apply(f(*x)))
    run = Pass(model, model, Compute(CPU, bf16=False, execution="compiled"))
    run(torch.ones(4, 3)).sum().backward()
    assert model.weight.grad is not None


def test_a_shape_is_captured_when_it_comes_again(model, monkeypatch):
    """The short last batch of an epoch of one is not worth a graph."""
    run = Pass(model, model, Compute(torch.device("cuda"), bf16=False, execution="graphs"))
    captured = []
    monkeypatch.setattr(torch.cuda, "device", torch.device)
    monkeypatch.setattr(run, "_capture", lambda inputs: captured.append(inputs) or model)
    run._plain = model
    for count in (4, 4, 4, 2, 2, 1):
        run(torch.ones(count, 3))
    assert [len(inputs[0]) for inputs in captured] == [4, 2]
    with torch.no_grad():
        run(torch.ones(4, 3))
    assert len(captured) == 2


def test_bf16_networks_have_their_channels_last():
    conv = nn.Conv2d(4, 8, 3)
    placed = Compute(CPU, bf16=True).place(conv)
    assert placed.weight.is_contiguous(memory_format=torch.channels_last)
    volumes = Compute(CPU, bf16=True).place(nn.Conv3d(4, 8, 3))
    assert volumes.weight.is_contiguous(memory_format=torch.channels_last_3d)
    plain = Compute(CPU, bf16=False).place(nn.Conv2d(4, 8, 3))
    assert plain.weight.is_contiguous()
