"""Packages that run on demand: not run before, whole when asked, and the same classes as ever."""

import subprocess
import sys

import pytest

INSTALL = "import sys; from sparring.lean_imports import LATER, install; install(); "


def output_of(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", INSTALL + program], capture_output=True, text=True, timeout=120
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_stages_do_without_compiler_and_other_networks() -> None:
    heavy = (
        "['sympy', 'torch._dynamo.symbolic_convert', 'scipy.stats._stats_py', 'torch._inductor']"
    )
    step = (
        "import torch; w = torch.nn.Parameter(torch.ones(2)); o = torch.optim.AdamW([w]); "
        "w.sum().backward(); o.step(); "
    )
    program = f"from sparring.stages import denoiser, discriminator, sampling; {step}"
    assert output_of(f"{program} print([m for m in {heavy} if m in sys.modules])") == "[]"


@pytest.mark.parametrize(
    ("statement", "shown", "expected"),
    [
        ("from diffusers import UNet2DConditionModel as x", "x.__name__", "UNet2DConditionModel"),
        ("from diffusers.models.unets import UNet2DModel as x", "x.__name__", "UNet2DModel"),
        (
            "from diffusers import AutoencoderKL as x, DiffusionPipeline",
            "x.__name__",
            "AutoencoderKL",
        ),
        ("from scipy import stats as x", "x.norm.cdf(0.0)", "0.5"),
        ("import scipy.stats as x, scipy.integrate", "x.t.ppf(0.5, 3)", "0.0"),
        ("import torch, torch._dynamo as x", "x.is_compiling()", "False"),
    ],
)
def test_whole_when_asked(statement: str, shown: str, expected: str) -> None:
    assert output_of(f"{statement}; print({shown})") == expected


def test_same_class_by_either_way() -> None:
    by_module = "from diffusers.models.unets.unet_2d import UNet2DModel as a; "
    assert output_of(by_module + "from diffusers import UNet2DModel as b; print(a is b)") == "True"


def test_compiles_afterwards() -> None:
    program = (
        "import torch; from sparring.models import denoiser; "
        "f = torch.compile(lambda x: torch.sin(x) + 1, backend='eager', fullgraph=True); "
        "x = torch.linspace(0, 1, 5); print(torch.equal(f(x), torch.sin(x) + 1), "
        "torch._dynamo.utils.counters['stats']['unique_graphs'])"
    )
    assert output_of(program) == "True 1"


def test_unknown_names_are_still_unknown() -> None:
    program = "import scipy.stats as s; print(hasattr(s, 'no_such_name'), hasattr(s, 'norm'))"
    assert output_of(program) == "False True"
