"""What many tests use: the reference arrays beside the checkout, and hypothesis settings."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("crossdiff", deadline=None, max_examples=25)
settings.load_profile("crossdiff")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference arrays and clips; a test that needs it is skipped elsewhere, but fails in CI."""
    if not (_SHARED / "golden").is_dir():
        reason = f"{_SHARED}: the reference arrays are not there"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return _SHARED
