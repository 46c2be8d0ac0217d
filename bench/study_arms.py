"""The arms of the study: what each does in every round, and when it was thought of.

The first grid was written before anything had run, the others after looking at judges of the test
split. So whatever is found with them on that split, other reals have to confirm.

`control` has equal updates, `control x 3` three times the updates. Neither has the time of an arm
that samples fakes, which is more than either: the control of equal time is the product's.
"""

from dataclasses import dataclass, field

from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import DiscriminatorSettings


@dataclass(frozen=True)
class Arm:
    """What is done in every round."""

    loss: AdversarialLoss | None = None
    epochs: int = 1
    rate: float = 2e-4
    fakes: int = 2000
    discriminator: DiscriminatorSettings = field(
        default_factory=lambda: DiscriminatorSettings(
            base_channels=32, num_layers=3, epochs=10, batch_size=128, weight_decay=0.01
        )
    )


def _loss(**keys: object) -> AdversarialLoss:
    return AdversarialLoss(**{"objective": "x0_bce"} | keys)  # type: ignore[arg-type]


BACKBONE = DiscriminatorSettings(
    backbone="denoiser", epochs=10, batch_size=128, weight_decay=0.01, learning_rate=5e-4
)
STRONG = DiscriminatorSettings(
    base_channels=64, num_layers=3, epochs=40, batch_size=128, weight_decay=0.01
)


def _strong(**keys: object) -> Arm:
    return Arm(_loss(**keys), discriminator=STRONG, fakes=4000)


def _ddo(rate: float = 2e-4, **keys: object) -> Arm:
    return Arm(_loss(objective="ddo", **{"max_rise": 0.1, "noise_weight": 0.0} | keys), rate=rate)


ARMS: dict[str, Arm] = {
    # The first grid, before anything had run.
    "control": Arm(),
    "control x 3": Arm(epochs=3),
    "x0_bce": Arm(_loss()),
    "noised": Arm(_loss(objective="noised")),
    "ddo .05": _ddo(beta=0.05, max_rise=0.01),
    "ddo .05 + noise": _ddo(beta=0.05, noise_weight=1.0, max_rise=0.01),
    "ddo .15": _ddo(beta=0.15, max_rise=0.01),
    "guidance 1": Arm(_loss(objective="guidance")),
    "guidance .5": Arm(_loss(objective="guidance", guidance_weight=0.5)),
    "guidance backbone": Arm(_loss(objective="guidance"), discriminator=BACKBONE),
    # The second: stronger discriminators, and ddo that may go on, as `max_rise` ended it at once.
    "guidance strong": _strong(objective="guidance"),
    "guidance strong 2": _strong(objective="guidance", guidance_weight=2.0),
    "guidance strong, all": _strong(objective="guidance", timesteps=(0.0, 1.0)),
    "x0_bce strong": _strong(weight=0.1),
    "noised strong .3": _strong(objective="noised", weight=0.3),
    "noised strong 1": _strong(objective="noised", weight=1.0),
    "ddo .05, rise .1": _ddo(beta=0.05),
    "ddo .2, rise .1": _ddo(beta=0.2),
    "ddo .2 slow + noise": _ddo(5e-5, beta=0.2, noise_weight=1.0, max_rise=0.01),
    # The third: how much of the noise loss ddo needs; the finalists are of these.
    "ddo .1 + noise": _ddo(beta=0.1, noise_weight=1.0),
    "ddo .2 + noise": _ddo(beta=0.2, noise_weight=1.0),
    "ddo .5 + noise": _ddo(beta=0.5, noise_weight=1.0),
    "ddo .5": _ddo(beta=0.5),
    "ddo .2, alpha .5 + noise": _ddo(beta=0.2, alpha=0.5, noise_weight=1.0),
    # The fourth: all at fine-tuning's default rate, a quarter, for real apartments.
    "control slow": Arm(rate=5e-5),
    "control x 3 slow": Arm(epochs=3, rate=5e-5),
    "ddo .1 slow + noise": _ddo(5e-5, beta=0.1, noise_weight=1.0),
}
