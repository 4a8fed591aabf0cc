"""Old constructors make the new settings, and name them."""

import pytest

from crossdiff.diffusion.config import LabelConfig, SamplingConfig
from crossdiff.diffusion.lifting import LiftOptions
from crossdiff.diffusion.sampling import SamplingOptions


def test_old_constructors_make_the_new_settings():
    with pytest.warns(DeprecationWarning, match=r"is now crossdiff\.diffusion\.config\.SamplingConfig"):
        assert SamplingOptions(50, 2.0, "dpm++", mixture=True) == SamplingConfig(
            steps=50, guidance_scale=2.0, solver="dpm++", mixture=True
        )
    with pytest.warns(DeprecationWarning, match=r"is now crossdiff\.diffusion\.config\.LabelConfig"):
        assert LiftOptions(impute=False) == LabelConfig(impute=False)
