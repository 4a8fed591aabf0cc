"""What `--help` shows behind options."""

import re

import pytest
from command import crossdiff


@pytest.mark.parametrize("name", ["", "export", "sample", "study", "study ablations"])
def test_flags_show_no_value_and_options_do(name):
    said = crossdiff(*name.split(), "--help").ok().out
    assert "--help" in said and "<bool>" not in said
    assert name != "export" or re.search(r"--unit +<str>", said)
