"""The noise schedule and the solvers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from crossdiff.diffusion.schedule import NUM_STEPS, add_noise, make_solver
from crossdiff.errors import InputError

solvers = pytest.mark.parametrize("name", ["dpm++", "ddim", "ddpm"])


@pytest.fixture(scope="module")
def golden(shared) -> dict[str, torch.Tensor]:
    with np.load(shared / "golden" / "diffusion.npz") as z:
        return {name: torch.from_numpy(z[name]) for name in z.files}


@pytest.mark.shared
def test_the_schedule_is_the_authors(golden):
    for name in ("ddpm", "dpm++"):
        solver = make_solver(name, 50)
        assert_close(solver.betas.double(), golden["betas"], atol=1e-6, rtol=1e-5)
        assert_close(solver.alphas_cumprod.double(), golden["alphas_cumprod"], atol=1e-6, rtol=0)


@pytest.mark.shared
def test_noise_is_added_as_by_the_authors(golden):
    x_t = add_noise(golden["x_start"], golden["noise"], golden["t"])
    assert_close(x_t, golden["q_sample"], atol=1e-5, rtol=0)


@pytest.mark.shared
def test_ancestral_sampling_has_the_posteriors_mean_and_variance(golden):
    solver = make_solver("ddpm", NUM_STEPS)
    for row, t in enumerate(golden["t"].tolist()):
        x_start, x_t = golden["x_start"][row : row + 1], golden["x_t"][row : row + 1]
        zero, one = torch.zeros_like(x_t), torch.ones_like(x_t)
        mean = solver.step(x_start, t, x_t, eta=1.0, variance_noise=zero).prev_sample
        # At t = 1 the authors' double precision and our single one differ most.
        assert_close(mean[0], golden["posterior_mean"][row], atol=2e-3 if t == 1 else 1e-4, rtol=0)
        spread = solver.step(x_start, t, x_t, eta=1.0, variance_noise=one).prev_sample - mean
        assert_close((spread**2).mean().double(), golden["posterior_variance"][t], atol=1e-5, rtol=1e-2)


@solvers
@pytest.mark.parametrize("steps", [1, 2, 7, 30, 50, 300, 600, 1000])
def test_every_solver_ends_at_what_a_perfect_denoiser_says(name, steps):
    generator = torch.Generator().manual_seed(0)
    x_start, x = torch.randn(2, 1, 4, 3, generator=generator)
    solver = make_solver(name, steps)
    timesteps = [int(t) for t in solver.timesteps]
    assert timesteps[0] == NUM_STEPS - 1
    assert len(timesteps) == steps
    assert timesteps == sorted(set(timesteps), reverse=True)
    for t in timesteps:
        options = {"eta": 1.0, "variance_noise": torch.randn(x.shape, generator=generator)} if name == "ddpm" else {}
        x = solver.step(x_start, t, x, **options).prev_sample
        assert torch.isfinite(x).all()
    assert_close(x, x_start, atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [7, 30, 300, 600])
def test_deterministic_steps_stay_on_the_line_between_motion_and_noise(steps):
    """With a perfect denoiser DDIM's x_t is, at every timestep, the clean motion with the same noise added."""
    generator = torch.Generator().manual_seed(0)
    x_start, noise = torch.randn(2, 1, 4, 3, generator=generator)
    solver = make_solver("ddim", steps)
    timesteps = [int(t) for t in solver.timesteps]
    x = add_noise(x_start, noise, torch.tensor([timesteps[0]]))
    for t, after in itertools.pairwise(timesteps):
        x = solver.step(x_start, t, x).prev_sample
        assert_close(x, add_noise(x_start, noise, torch.tensor([after])), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("name", "steps"), [("euler", 50), ("dpm++", 0), ("ddim", 1001)])
def test_unknown_solvers_and_impossible_steps(name, steps):
    with pytest.raises(InputError, match="expected"):
        make_solver(name, steps)
