"""Fine-tuning against a discriminator: where the gradient comes from and where it goes."""

from dataclasses import replace

import pytest
import torch

from sparring.diffusion.process import Prediction
from sparring.errors import UserError
from sparring.settings.objective import AdversarialLoss
from sparring.training.finetuning import Finetuning, read_optimizer, write_optimizer
from sparring.training.latents import Rows

EVERY_TIMESTEP = AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1.0))
ANY = Rows("train", torch.arange(4))  # without semantic losses it does not matter which


class Recorded(Finetuning):
    """Keeps the last prediction record and its rows."""

    def losses(self, model, prediction: Prediction, rows: Rows):
        self.last, self.rows = prediction, rows
        return super().losses(model, prediction, rows)


class Detached(Recorded):
    """The defect: what the discriminator scores no longer hangs on the denoiser."""

    def losses(self, model, prediction: Prediction, rows: Rows):
        return super().losses(model, replace(prediction, x0_pred=prediction.x0_pred.detach()), rows)


def adversarial_only(tiny, kind=Recorded, **keys):
    """Only the adversarial term, at every timestep."""
    return tiny.finetuning(kind, adversarial=EVERY_TIMESTEP, noise_weight=0.0, **keys)


def starved(stage):
    """Parameters that an update gives no gradient worth the name.

    The key's bias of an attention is exempt: softmax does not change with it.
    """
    norms = {name: 0.0 if p.grad is None else p.grad.norm().item()
             for name, p in stage.model.named_parameters()}  # fmt: skip
    largest = max(norms.values())
    return [name for name, norm in norms.items()
            if not name.endswith("to_k.bias") and not norm > 1e-5 * largest]  # fmt: skip


def test_the_adversarial_term_alone_reaches_every_parameter(tiny):
    stage = adversarial_only(tiny)
    stage.step(0, 0)
    assert starved(stage) == []


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_also_with_zero_terminal_snr_or_bf16(tiny, prediction):
    zero = {"zero_terminal_snr": True} if prediction == "v" else {}
    stage = adversarial_only(tiny, noise_schedule=tiny.schedule(prediction=prediction, **zero))
    stage.compute = replace(tiny.CPU, bf16=True)
    stage.step(0, 0)
    assert starved(stage) == []


def test_without_x0_pred_nothing_reaches_the_denoiser(tiny):
    """The check above fails where it should: the term detached, there is nothing to follow."""
    stage = adversarial_only(tiny, Detached)
    with pytest.raises(RuntimeError, match="does not require grad"):
        stage.step(0, 0)
    assert len(starved(stage)) > 50


def test_detached_beside_the_noise_loss_the_arm_is_the_control(tiny):
    detached, control = tiny.finetuning(Detached), tiny.finetuning(control=True)
    attached = tiny.finetuning(adversarial=EVERY_TIMESTEP)
    for stage in (detached, control, attached):
        stage.step(0, 0)
    assert tiny.same(detached.model.state_dict(), control.model.state_dict())
    assert not tiny.same(attached.model.state_dict(), control.model.state_dict())


def test_the_discriminator_stays_as_it_is(tiny, tmp_path):
    critic = tiny.discriminator()
    before = {name: t.clone() for name, t in critic.state_dict().items()}
    stage = tiny.finetuning(adversarial=EVERY_TIMESTEP, critic=critic, epochs=2)
    tiny.run(stage, tmp_path)
    assert tiny.same(critic.state_dict(), before)
    assert all(p.grad is None and not p.requires_grad for p in critic.parameters())
    assert not critic.training
    optimised = {id(p) for group in stage.optimizer.param_groups for p in group["params"]}
    assert optimised == {id(p) for p in stage.model.parameters()}


def test_a_step_raises_the_score_of_its_own_predictions(tiny):
    """The sign: after the step, the discriminator thinks the same x0_pred more real."""
    critic = tiny.discriminator()
    stage = adversarial_only(tiny, critic=critic, batch_size=10, learning_rate=1e-4)

    def score(batch):
        with torch.no_grad():
            x_t = stage.process.noised(batch.x0, batch.eps, batch.timesteps)
            output = stage.model(x_t, batch.timesteps).sample
            again = stage.process.prediction(batch.x0, batch.eps, batch.timesteps, output)
            return -torch.nn.functional.logsigmoid(critic(again.x0_pred)).mean()

    losses = []
    for epoch in range(5):
        start = {name: t.clone() for name, t in stage.model.state_dict().items()}
        stage.step(epoch, 0)
        batch, after = stage.last, score(stage.last)
        stage.model.load_state_dict(start)
        losses.append((score(batch), after))
    assert all(after < before for before, after in losses)


def test_real_latents_do_not_enter_the_adversarial_term(tiny):
    """The defect of scoring the batch of reals: gradient must come from x0_pred alone."""
    stage = tiny.finetuning(adversarial=EVERY_TIMESTEP)
    names = ("x0", "x_t", "eps", "output", "target", "x0_pred")
    leaves = {name: tiny.latents(4, n).requires_grad_() for n, name in enumerate(names)}
    ab = torch.tensor([0.9, 0.5, 0.1, 0.01])
    record = Prediction(timesteps=torch.tensor([10, 300, 600, 900]), alpha_bar=ab, **leaves)
    loss = stage.losses(stage.model, record, ANY)["discriminator_loss"].mean
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    reached = [name for name, g in zip(names, gradients, strict=True) if g is not None]
    assert reached == ["x0_pred"]
    assert (gradients[-1].flatten(1).norm(dim=1) > 0).all()


def test_the_discriminator_scores_clean_predictions(tiny):
    """As it was trained on clean latents: x0_pred and not x_t."""
    critic, stage = tiny.discriminator(), None
    stage = tiny.finetuning(Recorded, adversarial=EVERY_TIMESTEP, critic=critic)
    stage.step(0, 0)
    with torch.no_grad():
        logits = critic(stage.last.x0_pred)
    terms = stage.losses(stage.model, stage.last, stage.rows)
    torch.testing.assert_close(
        terms["discriminator_loss"].mean.detach(), torch.nn.functional.softplus(-logits).mean()
    )
    torch.testing.assert_close(terms["viability_score"].mean, torch.sigmoid(logits).mean())


def test_the_range_keeps_the_term_off_other_timesteps(tiny):
    """What lies outside the range neither counts nor pulls."""
    stage = tiny.finetuning(adversarial=AdversarialLoss(objective="x0_bce", timesteps=(0.0, 0.2)))
    x = tiny.latents(3, 0)
    output = x.clone().requires_grad_()
    record = stage.process.prediction(x, x, torch.tensor([199, 200, 999]), output)
    loss = stage.losses(stage.model, record, ANY)["discriminator_loss"].mean
    loss.backward()
    assert (output.grad.flatten(1).norm(dim=1) > 0).tolist() == [True, False, False]


def test_a_batch_outside_the_range_is_harmless(tiny):
    narrow = AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1e-6))
    stage, control = tiny.finetuning(adversarial=narrow), tiny.finetuning(control=True)
    terms = stage.step(0, 0)
    control.step(0, 0)
    assert terms["discriminator_loss"] == (0, 0)
    assert tiny.same(stage.model.state_dict(), control.model.state_dict())


def test_viability_is_reported_and_never_optimised(tiny):
    stage = tiny.finetuning(Recorded, adversarial=EVERY_TIMESTEP)
    terms = stage.step(0, 0)
    assert set(terms) == {"noise_loss", "discriminator_loss", "viability_score"}
    assert 0 < terms["viability_score"].value < 1
    term = stage.losses(stage.model, stage.last, stage.rows)["viability_score"]
    assert term.weight == 0
    assert not term.mean.requires_grad


def test_weights_of_the_terms_are_those_of_the_settings(tiny):
    stage = tiny.finetuning(
        Recorded, adversarial=AdversarialLoss(objective="x0_bce", weight=0.3), noise_weight=0.7
    )
    stage.step(0, 0)
    terms = stage.losses(stage.model, stage.last, stage.rows)
    assert terms["noise_loss"].weight == 0.7
    assert terms["discriminator_loss"].weight == 0.3
    control = tiny.finetuning(control=True)
    assert set(control.losses(control.model, stage.last, stage.rows)) == {"noise_loss"}


def test_history_names_every_term(tiny, tmp_path):
    rows = tiny.run(tiny.finetuning(epochs=1), tmp_path).history
    terms = ("noise_loss", "discriminator_loss", "viability_score")
    assert set(rows[0]) == {"epoch", "step", "learning_rate", *(f"val_{t}" for t in terms)}
    assert set(rows[1]) - set(rows[0]) == {f"train_{t}" for t in terms}


class Opposed(Finetuning):
    """Validation where the noise loss is best first, samples in the middle and the discriminator's
    loss last."""

    def validate(self):
        n = self.average.updates // self.steps_per_epoch
        losses = {"noise_loss": 1.0 + n, "discriminator_loss": 1.0 / (1 + n)}
        return losses | {"kernel": abs(n - 2) - 0.5}


@pytest.mark.parametrize(("samples", "best"), [(8, 2), (0, 1)])
@pytest.mark.parametrize("arm", ["control", "x0_bce", "ddo"])
def test_best_is_by_samples_or_else_by_noise_loss(tiny, tmp_path, samples, best, arm):
    """Never by the objective: losses under different discriminators cannot be compared, and ddo's
    least loss lies past the data."""
    rival = tiny.itself(max_rise=99.0) if arm == "ddo" else None
    keys = {"control": arm == "control", "rival": rival, "selection_samples": samples}
    assert tiny.run(tiny.finetuning(Opposed, epochs=3, **keys), tmp_path).best_epoch == best


def test_a_diverged_run_names_the_term(tiny, tmp_path):
    stage = tiny.finetuning(adversarial=EVERY_TIMESTEP)
    with torch.no_grad():
        stage._opponent.discriminator.head.bias.fill_(float("nan"))
    with pytest.raises(UserError, match="discriminator_loss is nan"):
        tiny.run(stage, tmp_path)


def test_moments_come_back_as_they_were_written(tiny, tmp_path):
    stage = tiny.finetuning(carry_optimizer=True)
    for step in range(3):
        stage.step(0, step)
    path = tmp_path / "optimizer.safetensors"
    write_optimizer(path, stage.extra())
    moments = read_optimizer(path, stage.model)
    assert tiny.same(moments, stage.extra())
    later = tiny.finetuning(moments=moments, carry_optimizer=True)
    assert tiny.same(later.extra(), stage.extra())
    assert all(m.item() == 3 for name, m in moments.items() if name.endswith(".step"))


def test_carried_moments_continue_the_optimiser(tiny, tmp_path):
    """Two trainings of one step with moments carried equal one training of two steps."""
    keys = {"control": True, "carry_optimizer": True, "batch_size": 10}
    whole, first = tiny.finetuning(**keys), tiny.finetuning(**keys)
    whole.step(0, 0)
    whole.step(1, 0)
    first.step(0, 0)
    second, fresh = tiny.finetuning(moments=first.extra(), **keys), tiny.finetuning(**keys)
    for stage in (second, fresh):
        stage.model.load_state_dict(first.model.state_dict())
        stage.step(1, 0)
    assert tiny.same(second.model.state_dict(), whole.model.state_dict())
    assert not tiny.same(fresh.model.state_dict(), whole.model.state_dict())


def test_moments_are_kept_only_when_asked(tiny, tmp_path):
    stage = tiny.finetuning()
    stage.step(0, 0)
    assert stage.extra() == {}


def refused(path, model, *parts):
    with pytest.raises(UserError) as refusal:
        read_optimizer(path, model)
    for part in (str(path), *parts):
        assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_iteration_that_kept_no_moments_is_refused(tiny, tmp_path):
    path = tmp_path / "optimizer.safetensors"
    write_optimizer(path, {})
    refused(path, tiny.unet(), "no optimiser state for", "carry_optimizer: true")


@pytest.mark.parametrize("moment", ["exp_avg", "exp_avg_sq", "step"])
def test_a_missing_moment_is_refused(tiny, tmp_path, moment):
    stage = tiny.finetuning(carry_optimizer=True)
    stage.step(0, 0)
    path, moments = tmp_path / "optimizer.safetensors", stage.extra()
    del moments[f"conv_in.weight.{moment}"]
    write_optimizer(path, moments)
    refused(path, stage.model, "conv_in.weight", "carry_optimizer: true")


def test_moments_of_another_denoiser_are_refused(tiny, tmp_path):
    stage = tiny.finetuning(carry_optimizer=True)
    stage.step(0, 0)
    path, moments = tmp_path / "optimizer.safetensors", stage.extra()
    moments["conv_in.weight.exp_avg"] = torch.zeros(16, 4, 3, 3)
    write_optimizer(path, moments)
    refused(path, stage.model, "conv_in.weight", "the same denoiser")
