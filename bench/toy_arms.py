"""What the toy compares: the grid of settings, its finalists, and the regimes they start from.

The grid, as it was before anything had run:

| group | settings |
|---|---|
| control | updates x 1; x 7, the most arithmetic of all; rate x 3 |
| x0_bce literal | weight .03 .3, all timesteps |
| x0_bce | weight .1 .3 1 with timesteps [0, .2]; .3 with [0, .1] |
| noised | weight .1 .3 1 3; 1 with timesteps [0, .2]; 1 renoised to all levels |
| guidance | weight .5 1 2 with timesteps [0, .8]; 1 with [0, 1], [0, .4] |
| guidance, one discriminator | weight 1 with [0, .8] and [0, .4], all updates in one round |
| ddo | beta, alpha: (1, .5) (1, 1) (1, 2) (.1, 1) (10, 1); noise weight 0 |
| ddo, other forms | (1, 1) + noise loss .5; timesteps [0, .5]; nine rounds of a third; rate x 3 |

The groups `found afterwards` were not in it.
"""

from toy_rounds import Regime, Setting

LOW, MOST, HALF = (0.0, 0.2), (0.0, 0.8), (0.0, 0.5)
GRID: dict[str, dict[str, Setting]] = {
    "control": {"updates x 1": Setting()},
    "control, most arithmetic": {"updates x 7": Setting(updates=2800)},
    "control, rate x 3": {"rate x 3": Setting(rate=6e-4)},
    "x0_bce literal": {f"weight {w}": Setting("x0_bce", w) for w in (0.03, 0.3)},
    "x0_bce": {
        **{f"weight {w}, [0, .2]": Setting("x0_bce", w, LOW) for w in (0.1, 0.3, 1.0)},
        "weight 0.3, [0, .1]": Setting("x0_bce", 0.3, (0.0, 0.1)),
    },
    "noised": {
        **{f"weight {w}": Setting("noised", w) for w in (0.1, 0.3, 1.0, 3.0)},
        "weight 1.0, [0, .2]": Setting("noised", 1.0, LOW),
        "weight 1.0, all levels": Setting("noised", 1.0, above=False),
    },
    "guidance": {
        **{f"weight {w}, [0, .8]": Setting("guidance", w, MOST) for w in (0.5, 1.0, 2.0)},
        "weight 1.0, [0, 1]": Setting("guidance", 1.0),
        "weight 1.0, [0, .4]": Setting("guidance", 1.0, (0.0, 0.4)),
    },
    "guidance, one discriminator": {
        "weight 1.0, [0, .8]": Setting("guidance", 1.0, MOST, rounds=1, updates=1200),
        "weight 1.0, [0, .4]": Setting("guidance", 1.0, (0.0, 0.4), rounds=1, updates=1200),
    },
    "ddo": {
        f"beta {b}, alpha {a}": Setting("ddo", beta=b, alpha=a, noise_weight=0.0)
        for b, a in ((1.0, 0.5), (1.0, 1.0), (1.0, 2.0), (0.1, 1.0), (10.0, 1.0))
    },
    "ddo, other forms": {
        "+ noise loss .5": Setting("ddo", noise_weight=0.5),
        "[0, .5]": Setting("ddo", timesteps=HALF, noise_weight=0.0),
        "9 rounds of 133": Setting("ddo", noise_weight=0.0, rounds=9, updates=133),
        "rate x 3": Setting("ddo", noise_weight=0.0, rate=6e-4),
    },
    "guidance, found afterwards": {
        "weight 1.0, 1 round, 6 x the updates": Setting(
            "guidance", 1.0, MOST, rounds=1, judged=6, fakes=16_384
        ),
    },
    "ddo, found afterwards": {
        "beta 10, [.2, 1]": Setting("ddo", beta=10.0, timesteps=(0.2, 1.0), noise_weight=0.0),
        "beta 10, + noise loss, rate x 3": Setting("ddo", beta=10.0, rate=6e-4),
    },
}
RECOMMENDED = {
    "control": "updates x 1",
    "control, most arithmetic": "updates x 7",
    "x0_bce literal": "weight 0.3",
    "x0_bce": "weight 0.1, [0, .2]",
    "noised": "weight 3.0",
    "guidance": "weight 0.5, [0, .8]",
    "ddo": "beta 10.0, alpha 1.0",
    "ddo, found afterwards": "beta 10, + noise loss, rate x 3",
}
FINALISTS = {
    "control": "updates x 1",
    "control, rate x 3": "rate x 3",
    "noised": "weight 3.0",
    "guidance": "weight 0.5, [0, .8]",
    "ddo": "beta 10.0, alpha 1.0",
    "ddo, found afterwards": "beta 10, + noise loss, rate x 3",
}
SEEDS = (1, 2, 3)
REGIMES = [
    Regime("under capacity", width=24, reals=50_000, updates=6000),
    Regime("converged", width=64, reals=50_000, updates=6000),
    Regime("overfitted", width=64, reals=180, updates=6000),
]
