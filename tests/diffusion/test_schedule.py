"""The noise schedule and the solvers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from crossdiff.diffusion.schedule import (
    NUM_STEPS,
    add_noise,
    inference_timesteps,
    make_solver,
    mixture_timesteps,
)
from crossdiff.errors import InputError
from crossdiff.models.prediction import noise_schedule

SCHEDULE = {"num_train_timesteps": NUM_STEPS, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample"}
solvers = pytest.mark.parametrize("name", ["dpm++", "ddim", "ddpm"])


@pytest.fixture(scope="module")
def golden(shared) -> dict[str, torch.Tensor]:
    with np.load(shared / "golden" / "diffusion.npz") as z:
        return {name: torch.from_numpy(z[name]) for name in z.files}


@pytest.mark.shared
def test_the_schedule_is_the_authors(golden):
    assert_close(noise_schedule().double(), golden["alphas_cumprod"], atol=1e-6, rtol=0)


@pytest.mark.shared
def test_noise_is_added_as_by_the_authors(golden):
    x_t = add_noise(golden["x_start"], golden["noise"], golden["t"])
    assert_close(x_t, golden["q_sample"], atol=1e-5, rtol=0)


@pytest.mark.shared
def test_ancestral_sampling_has_the_posteriors_mean_and_variance(golden):
    solver = make_solver("ddpm", inference_timesteps(NUM_STEPS))
    for row, t in enumerate(golden["t"].tolist()):
        x_start, x_t = golden["x_start"][row : row + 1], golden["x_t"][row : row + 1]
        zero, one = torch.zeros_like(x_t), torch.ones_like(x_t)
        mean = solver.step(x_start, t, x_t, zero)
        # At t = 1 the authors' double precision and our single one differ most.
        assert_close(mean[0], golden["posterior_mean"][row], atol=2e-3 if t == 1 else 1e-4, rtol=0)
        spread = solver.step(x_start, t, x_t, one) - mean
        assert_close((spread**2).mean().double(), golden["posterior_variance"][t], atol=1e-5, rtol=1e-2)


def test_the_schedule_and_its_noise_are_those_of_diffusers():
    theirs = DDPMScheduler(**SCHEDULE)
    assert torch.equal(noise_schedule(), theirs.alphas_cumprod)
    x_start, noise = torch.randn(2, NUM_STEPS, 3, 4, generator=torch.Generator().manual_seed(0))
    t = torch.arange(NUM_STEPS)
    assert torch.equal(add_noise(x_start, noise, t), theirs.add_noise(x_start, noise, t))


@solvers
@pytest.mark.parametrize("steps", [1, 2, 10, 20, 50, 200])
def test_solvers_give_what_those_of_diffusers_give(name, steps):
    """With any predictions; for numbers of steps whose next timestep diffusers' DDIM knows (divisors of 1000)."""
    generator = torch.Generator().manual_seed(steps)
    timesteps = list(range(NUM_STEPS - 1, -1, -NUM_STEPS // steps))
    ours = make_solver(name, timesteps)
    theirs = {
        "dpm++": DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", solver_order=2, **SCHEDULE),
        "ddim": DDIMScheduler(clip_sample=False, timestep_spacing="trailing", **SCHEDULE),
        "ddpm": DDIMScheduler(clip_sample=False, timestep_spacing="trailing", **SCHEDULE),
    }[name]
    given = {"timesteps": timesteps} if name == "dpm++" else {"num_inference_steps": steps}
    theirs.set_timesteps(**given)
    assert theirs.timesteps.tolist() == timesteps
    x = torch.randn(2, 4, 3, generator=generator)
    expected = x
    for t in timesteps:
        x_start, noise = torch.randn(2, *x.shape, generator=generator)
        ancestral = {"eta": 1.0, "variance_noise": noise} if name == "ddpm" else {}
        x = ours.step(x_start, t, x, noise if name == "ddpm" else None)
        expected = theirs.step(x_start, t, expected, **ancestral).prev_sample
        assert_close(x, expected, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("steps", [1, 2, 7, 48, 50, 61, 300, 600, 999, 1000])
def test_few_steps_are_spread_from_pure_noise_down(steps):
    timesteps = inference_timesteps(steps)
    assert timesteps[0] == NUM_STEPS - 1
    assert len(timesteps) == steps
    assert 0 <= timesteps[-1] < 2 * NUM_STEPS / steps + 1
    gaps = [a - b for a, b in itertools.pairwise(timesteps)]
    assert min(gaps, default=1) >= 1
    # Denser where there is more noise, but for rounding.
    assert all(b >= a - 1 for a, b in itertools.pairwise(gaps))


def test_half_of_the_steps_are_in_the_first_quarter():
    timesteps = inference_timesteps(100)
    assert sum(t >= 0.75 * NUM_STEPS for t in timesteps) == pytest.approx(100 * 0.25**0.5, abs=1)


@pytest.mark.parametrize("switch_step", [0, 1, 7, 300, 998, 999])
def test_of_all_timesteps_mixture_sampling_takes_each_once(switch_step):
    timesteps = inference_timesteps(NUM_STEPS)
    assert mixture_timesteps(timesteps, switch_step) == timesteps


@given(steps=st.integers(1, NUM_STEPS), switch_step=st.integers(0, NUM_STEPS - 1))
def test_mixture_sampling_switches_at_alpha_and_has_a_step_after_it(steps, switch_step):
    timesteps = inference_timesteps(steps)
    mixed = mixture_timesteps(timesteps, switch_step)
    assert mixed == sorted(set(mixed), reverse=True)
    at = mixed.index(switch_step)
    assert mixed[:at] == [t for t in timesteps if t > switch_step]
    below = mixed[at + 1 :]
    assert below or switch_step == 0
    assert set(below) <= {*timesteps, 0}
    assert 0 <= len(mixed) - len(timesteps) <= 2


@solvers
@pytest.mark.parametrize(
    "timesteps",
    [*(inference_timesteps(n) for n in (1, 2, 7, 30, 50, 61, 300, 600, 1000)), [999, 500, 499, 3, 0], [0], [700, 20]],
    ids=lambda timesteps: f"{len(timesteps)}-to-{timesteps[-1]}",
)
def test_every_solver_ends_at_what_a_perfect_denoiser_says(name, timesteps):
    generator = torch.Generator().manual_seed(0)
    x_start, x = torch.randn(2, 1, 4, 3, generator=generator)
    solver = make_solver(name, timesteps)
    for t in timesteps:
        noise = torch.randn(x.shape, generator=generator) if name == "ddpm" else None
        x = solver.step(x_start, t, x, noise)
        assert torch.isfinite(x).all()
    assert_close(x, x_start, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["dpm++", "ddim"])
@pytest.mark.parametrize("timesteps", [*map(inference_timesteps, (7, 30, 300)), [999, 500, 499, 19, 1, 0]], ids=len)
def test_deterministic_steps_stay_on_the_line_between_motion_and_noise(name, timesteps):
    """With a perfect denoiser x_t is, at every timestep, the clean motion with the same noise added."""
    generator = torch.Generator().manual_seed(0)
    x_start, noise = torch.randn(2, 1, 4, 3, generator=generator)
    solver = make_solver(name, timesteps)
    x = add_noise(x_start, noise, torch.tensor([timesteps[0]]))
    for t, after in itertools.pairwise(timesteps):
        x = solver.step(x_start, t, x)
        assert_close(x, add_noise(x_start, noise, torch.tensor([after])), atol=1e-3, rtol=0)


def test_unknown_solvers():
    with pytest.raises(InputError, match=r"expected one of dpm\+\+, ddim, ddpm, got 'euler'"):
        make_solver("euler", [999])


@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_numbers_of_steps(steps):
    with pytest.raises(InputError, match=f"expected 1 to 1000, got {steps}"):
        inference_timesteps(steps)
