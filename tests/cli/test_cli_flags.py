"""What `--help` shows behind options."""

import re

import pytest
from command import crossdiff

from crossdiff.cli import COMMANDS

NAMES = [name for topic in COMMANDS.values() for name in topic]


@pytest.mark.parametrize("name", ["", "study", *NAMES])
def test_flags_show_no_value_and_options_do(name):
    said = crossdiff(*name.split(), "--help").ok().out
    assert "--help" in said and "<bool>" not in said
    assert name != "export" or re.search(r"--unit +<str>", said)
