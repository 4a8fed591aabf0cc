"""The objective: what it weighs, what it hides, what it ignores."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import small_model
from torch.testing import assert_close

from crossdiff.data.batch import MotionBatch
from crossdiff.diffusion.schedule import add_noise
from crossdiff.models.prediction import kept_signal, x_start_of_v
from crossdiff.training.config import FinetuneConfig, LossWeights, TrainConfig
from crossdiff.training.draws import draw
from crossdiff.training.losses import Objective, StepLosses, cross_losses, masked_mse, timestep_weights

ALL = {("3d", "3d"): 1.0, ("2d", "3d"): 1.0, ("3d", "2d"): 1.0, ("2d", "2d"): 1.0}


@pytest.fixture
def batch() -> MotionBatch:
    generator = torch.Generator().manual_seed(0)
    frames = torch.arange(8) < torch.tensor([[8], [5]])
    x = {d: torch.randn(2, 8, n, generator=generator) for d, n in (("2d", 132), ("3d", 263))}
    trusted = {d: frames[..., None].expand_as(v).clone() for d, v in x.items()}
    seen = trusted["2d"] & (torch.rand(2, 8, 132, generator=generator) < 0.7)
    no, yes = torch.tensor([False, False]), torch.tensor([True, True])
    return MotionBatch(x, trusted, seen, frames, ["a", "b"], no, yes, torch.ones(2), [8, 5], [0, 1])


class Recorder:
    """Stands in for the network: keeps its inputs, answers with `answer[target]`."""

    def __init__(self, answer) -> None:
        self.answer = answer

    def __call__(self, inputs, t, text, mask, targets):
        self.inputs, self.t, self.mask, self.targets = inputs, t, mask, targets
        return {(s, d): self.answer[d] for s in inputs for d in targets}


def clip_losses(model, batch, network, pairs=ALL, seed=0):
    draws = draw((seed, 0), batch.rows, 0.0)
    return cross_losses(network, model, batch, torch.zeros(2, 6), pairs, draws)


def losses(*args, **kwargs):
    return {pair: loss.mean() for pair, loss in clip_losses(*args, **kwargs).items()}


def test_a_clips_loss_is_the_mean_over_its_trusted_values():
    predicted, target = torch.zeros(2, 2, 3), torch.zeros(2, 2, 3)
    target[0] = 1.0
    target[1, 0, 0] = 3.0
    trusted = torch.ones(2, 2, 3, dtype=torch.bool)
    trusted[1, 1] = False
    target[1, 1] = 1e6
    assert masked_mse(predicted, target, trusted).tolist() == pytest.approx([1.0, 9.0 / 3])
    assert masked_mse(predicted, target, torch.zeros_like(trusted)).tolist() == [0.0, 0.0]


def test_a_perfect_prediction_costs_nothing_and_padding_never_counts(batch):
    model = small_model()
    answer = {d: model.normalize(d, x) for d, x in batch.features.items()}
    assert all(v == 0 for v in losses(model, batch, Recorder(answer)).values())
    worse = {d: torch.where(batch.frames[..., None], x, 1e3) for d, x in answer.items()}
    assert all(v == 0 for v in losses(model, batch, Recorder(worse)).values())


def test_both_domains_get_one_timestep_noise_of_their_own_and_hidden_2d_values_are_zero(batch):
    model = small_model()
    network = Recorder(batch.features)
    losses(model, batch, network)
    flat = network.inputs["2d"]
    assert (flat[~batch.seen] == 0).all()
    assert (flat[batch.seen] != 0).all()
    assert network.t.shape == (2,)
    assert torch.equal(network.mask, batch.frames)
    for domain in ("2d", "3d"):
        clean = model.normalize(domain, batch.features[domain])
        signal = add_noise(clean, torch.zeros_like(clean), network.t)
        noise = add_noise(torch.zeros_like(clean), torch.ones_like(clean), network.t)
        drawn = ((network.inputs[domain] - signal) / noise)[batch.trusted[domain] if domain == "3d" else batch.seen]
        assert abs(float(drawn.mean())) < 0.1
        assert abs(float(drawn.std()) - 1) < 0.1


def test_only_the_directions_with_a_weight_are_asked_for(batch):
    model = small_model()
    network = Recorder(batch.features)
    assert set(losses(model, batch, network, {("3d", "3d"): 1.0})) == {("3d", "3d")}
    assert list(network.inputs) == ["3d"]
    assert list(network.targets) == ["3d"]
    assert set(losses(model, batch, network)) == set(ALL)


def test_the_same_seed_gives_the_same_loss(batch):
    model = small_model()
    first, again, other = (losses(model, batch, model.network, seed=s)["3d", "3d"] for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_weights_of_the_stages():
    assert TrainConfig(steps=1).objective() == Objective(ALL, ALL)
    only_3d = {("3d", "3d"): 1.0}
    assert TrainConfig(steps=1, stage=2).objective() == Objective(only_3d, only_3d)
    tuning = FinetuneConfig().objective()
    assert tuning.wild == {("3d", "3d"): 1.0, ("2d", "3d"): 0.1, ("3d", "2d"): 0.1, ("2d", "2d"): 1.0}
    assert tuning.mocap == ALL
    assert LossWeights(w33=0, w23=0, w32=0).terms() == {("2d", "2d"): 1.0}


def test_a_layout_of_many_clips_does_not_change_a_clips_loss(batch):
    together = masked_mse(batch.features["3d"], torch.zeros(2, 8, 263), batch.trusted["3d"])
    first = masked_mse(batch.features["3d"][:1], torch.zeros(1, 8, 263), batch.trusted["3d"][:1])
    second = masked_mse(batch.features["3d"][1:, :5], torch.zeros(1, 5, 263), batch.trusted["3d"][1:, :5])
    assert_close(together, torch.cat([first, second]))


def test_each_kind_of_clip_has_weights_of_its_own(batch):
    batch = replace(batch, wild=torch.tensor([True, False]), quality=torch.tensor([0.5, 1.0]))
    terms = {("2d", "3d"): torch.tensor([2.0, 4.0]), ("2d", "2d"): torch.tensor([1.0, 3.0])}
    objective = Objective({("2d", "3d"): 1.0}, {("2d", "3d"): 0.1, ("2d", "2d"): 2.0})
    assert objective.clip_losses(terms, batch).tolist() == pytest.approx([0.1 * 2 + 2 * 1, 4.0])
    by_quality = replace(objective, by_quality=True)
    assert by_quality.clip_losses(terms, batch).tolist() == pytest.approx([0.5 * 0.1 * 2 + 2 * 1, 4.0])


def test_both_kinds_of_clips_are_reported_where_there_are_both(batch):
    terms = {("3d", "3d"): torch.tensor([2.0, 4.0])}
    objective = Objective({("3d", "3d"): 1.0}, {("3d", "3d"): 3.0})
    alone = StepLosses.of(terms, objective, batch)
    assert alone.means(alone.values.tolist()) == {"loss": 3.0, "3d->3d": 3.0}
    mixed = StepLosses.of(terms, objective, replace(batch, wild=torch.tensor([True, False])))
    assert mixed.means(mixed.values.tolist()) == {"loss": 5.0, "3d->3d": 3.0, "mocap": 4.0, "wild": 6.0}
    assert mixed.loss == 5.0


def test_a_clip_without_3d_counts_in_2d_to_2d_alone(batch):
    model = small_model()
    only = torch.tensor([True, False])
    trusted = {"2d": batch.trusted["2d"], "3d": batch.trusted["3d"] & only[:, None, None]}
    whole, part = (
        losses(model, replace(batch, trusted=trusted, has_3d=only, features=x), model.network)
        for x in (batch.features, {**batch.features, "3d": batch.features["3d"] * only[:, None, None]})
    )
    first = {d: x[:1] for d, x in batch.features.items()}
    alone = replace(
        batch, features=first, trusted={d: m[:1] for d, m in batch.trusted.items()}, seen=batch.seen[:1],
        frames=batch.frames[:1], captions=["a"], lengths=[8], rows=[0], has_3d=only[:1], quality=batch.quality[:1],
    )  # fmt: skip
    draws = draw((0, 0), [0], 0.0)
    expected = {
        p: x.mean() for p, x in cross_losses(model.network, model, alone, torch.zeros(1, 6), ALL, draws).items()
    }
    for pair in ALL:
        assert_close(whole[pair], part[pair])
        if pair != ("2d", "2d"):
            assert_close(part[pair], expected[pair] / 2)
    assert part["2d", "2d"] > 0


def test_a_network_of_one_domain_is_trained_on_3d_alone():
    assert TrainConfig(steps=1, model={"domains": "3d"}).objective().mocap == {("3d", "3d"): 1.0}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"share_3d": 0.5, "share_2d": 0.25}, "share_2d 0.25 is below share_3d 0.5"),
        ({"batch_size": 9, "devices": 2}, "not a multiple of 2 devices"),
        ({"batch_size": 6, "devices": 2, "num_nodes": 2}, "not a multiple of 4 devices"),
    ],
)
def test_settings_that_contradict_each_other(wrong, said):
    with pytest.raises(ValueError, match=said):
        TrainConfig(steps=1, **wrong)


def test_a_batch_without_padding_needs_no_mask(batch):
    whole = replace(batch, lengths=[8, 8], frames=torch.ones(2, 8, dtype=torch.bool))
    network = Recorder(batch.features)
    losses(small_model(), whole, network)
    assert network.mask is None


def test_a_direction_at_least_needs_a_weight():
    with pytest.raises(ValueError, match="at least one direction"):
        LossWeights(w33=0, w23=0, w32=0, w22=0)


def test_timesteps_are_weighted_from_3d_to_3d_alone(batch):
    terms = {("2d", "3d"): torch.tensor([2.0, 4.0]), ("3d", "3d"): torch.tensor([1.0, 3.0])}
    objective = Objective(dict.fromkeys(terms, 1.0), {})
    assert objective.clip_losses(terms, batch, torch.tensor([10.0, 0.5])).tolist() == [2 + 10, 4 + 1.5]


def test_steps_from_frame_to_frame_count_where_both_frames_are_trusted(batch):
    model = small_model()
    clean = {d: model.normalize(d, x) for d, x in batch.features.items()}
    draws = draw((0, 0), batch.rows, 0.0)

    def measured(offset):
        answer = {d: x + offset[:, None] for d, x in clean.items()}
        args = (Recorder(answer), model, batch, torch.zeros(2, 6), ALL, draws)
        plain, with_steps = (cross_losses(*args, velocity_weight=w) for w in (0.0, 3.0))
        return {pair: with_steps[pair] - plain[pair] for pair in ALL}

    assert all((x == 0).all() for x in measured(torch.full((8,), 5.0)).values())
    for (_, target), more in measured(torch.arange(8.0)).items():
        assert_close(more, torch.full((2,), 3.0 if target == "3d" else 0.0))
    late = torch.tensor([0.0] * 5 + [9.0] * 3)  # the second clip ends before
    assert measured(late)["3d", "3d"][1] == 0
    assert measured(late)["3d", "3d"][0] > 0


def test_an_anchors_predictions_are_the_targets_of_clips_that_are_not_wild(batch):
    model, other = small_model(), small_model(seed=1)
    other.normalizers.load_state_dict(model.normalizers.state_dict())
    mixed = replace(batch, wild=torch.tensor([True, False]))
    args = (model, mixed, torch.zeros(2, 6), ALL, draw((0, 0), batch.rows, 0.0), 3.0)
    plain = cross_losses(model.network, *args)
    own, others = (cross_losses(model.network, *args, anchor=one.network) for one in (model, other))
    for pair in ALL:
        assert own[pair][0] == plain[pair][0] == others[pair][0] > 0
        assert own[pair][1] < 1e-9 < others[pair][1]
    assert not any(parameter.grad_fn for parameter in other.parameters())


def test_weights_of_timesteps():
    t = torch.tensor([0, 300, 700, 999])
    kept = kept_signal(t)
    assert timestep_weights(t, "uniform").tolist() == [1.0] * 4
    snr = kept / (1 - kept)
    assert timestep_weights(t, "min-snr").tolist() == pytest.approx([5.0, *snr[1:].clamp_max(5).tolist()])
    assert timestep_weights(t, "min-snr")[-1] < 1e-4


@given(seed=st.integers(0, 1000))
def test_v_weights_make_the_error_of_v(seed):
    """(v - v')^2 = w (x_start - x_start')^2 for any two predictions."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.randint(1, 1000, (3,), generator=generator)
    x, v, other = torch.randn(3, 3, 4, 5, generator=generator, dtype=torch.float64)
    clean = x_start_of_v(x, v, t) - x_start_of_v(x, other, t)
    weight = timestep_weights(t, "v")[:, None, None]
    assert_close(weight.double() * clean.square(), (v - other).square(), rtol=1e-4, atol=1e-9)
