"""What chance decides in a training step."""

from __future__ import annotations

import torch

from crossdiff.training.draws import draw

CPU = torch.device("cpu")


def test_a_rows_draws_do_not_depend_on_the_other_rows():
    together, alone = draw((7, 0, 3), range(8), 0.5), draw((7, 0, 3), [5], 0.5)
    assert together.t[5] == alone.t[0]
    assert together.keep_text[5] == alone.keep_text[0]
    noise = together.noise([4, 9, 30, 2, 5, 17, 3, 1], 6, 1, CPU)
    assert noise.shape == (8, 30, 6)
    assert torch.equal(noise[5, :17], alone.noise([17], 6, 1, CPU)[0])
    assert (noise[5, 17:] == 0).all()


def test_seed_step_and_purpose_all_matter():
    keys = [(7, 0, 3), (8, 0, 3), (7, 1, 3), (7, 0, 4)]
    drawn = [draw(key, range(6), 0.1) for key in keys]
    assert len({tuple(d.t.tolist()) for d in drawn}) == len(keys)
    assert len({float(d.noise([5] * 6, 4, 0, CPU).sum()) for d in drawn}) == len(keys)


def test_domains_have_noise_of_their_own_and_it_is_standard_normal():
    draws = draw((1, 2), range(40), 0.1)
    flat, solid = (draws.noise([50] * 40, 20, stream, CPU) for stream in (0, 1))
    assert abs(float((flat * solid).mean())) < 0.02
    for noise in (flat, solid):
        assert abs(float(noise.mean())) < 0.02
        assert abs(float(noise.std()) - 1) < 0.02


def test_timesteps_cover_the_diffusion_and_text_is_dropped_as_often_as_asked():
    draws = draw((0,), range(4000), 0.1)
    assert draws.t.min() < 5
    assert draws.t.max() > 994
    assert abs(float(draws.t.float().mean()) - 499.5) < 20
    assert abs(float(draws.keep_text.float().mean()) - 0.9) < 0.02
    assert draw((0,), range(50), 0.0).keep_text.all()
    assert not draw((0,), range(50), 1.0).keep_text.any()
