"""The page of commands lists what the table of commands has, by topic."""

import re
from pathlib import Path

from crossdiff.cli import COMMANDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def test_the_page_lists_every_command_under_its_topic_in_order():
    listed: dict[str, list[str]] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        topic, _, rows = section.partition("\n")
        if topic in COMMANDS:
            listed[topic] = re.findall(r"^\| `((?:study )?[a-z0-9-]+)", rows, re.MULTILINE)
    assert listed == {topic: list(names) for topic, names in COMMANDS.items()}
    assert list(listed) == list(COMMANDS)
