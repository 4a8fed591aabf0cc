"""Caption lines of HumanML3D folders."""

from __future__ import annotations

import pytest

from crossdiff.data.captions import Caption, mirror_caption, parse_caption, read_caption_file
from crossdiff.errors import ClipError


def test_a_line_is_sentence_tokens_and_span():
    caption = parse_caption("a person walks.#a/DET person/NOUN walk/VERB#1.5#4.0\n")
    assert caption == Caption("a person walks.", "a/DET person/NOUN walk/VERB", 1.5, 4.0)
    assert parse_caption(caption.line) == caption


def test_a_nan_span_is_the_whole_clip():
    assert parse_caption("a#a/DET#nan#nan") == Caption("a", "a/DET", 0.0, 0.0)


@pytest.mark.parametrize(
    "line", ["", "just words", "a#b#0", "a#b#0#0#0", "#b#0#0", "a#b#zero#0", "a#b#-1#5", "a#b#0#inf"]
)
def test_other_lines_are_refused_and_shown(line):
    with pytest.raises(ClipError, match=r"caption: .*got"):
        parse_caption(line)


def test_files_with_blank_lines_and_missing_files(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a#a/DET#0.0#0.0\n\nb#b/X#0.0#0.0\n")
    assert [c.text for c in read_caption_file(path)] == ["a", "b"]
    with pytest.raises(ClipError, match="no caption file"):
        read_caption_file(tmp_path / "b.txt")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ClipError, match=r"a\.txt: not readable"):
        read_caption_file(path)


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("raises the left arm", "raises the right arm"),
        ("Right foot, then left-handed", "Left foot, then right-handed"),
        ("walks upright in a copyright suit", "walks upright in a copyright suit"),
        ("turns clockwise", "turns counterclockwise"),
        ("turns counterclockwise", "turns clockwise"),
        ("turns counter-clockwise", "turns clockwise"),
        ("turns counter clockwise", "turns clockwise"),
        ("turns anticlockwise", "turns clockwise"),
        ("stands still", "stands still"),
    ],
)
def test_mirroring_swaps_sides_and_turns(text, mirrored):
    assert mirror_caption(Caption(text, "")).text == mirrored


@pytest.mark.parametrize("text", ["step left then right", "turns clockwise", "turns counterclockwise", "Left"])
def test_mirroring_twice_gives_the_caption_back(text):
    caption = Caption(text, text.replace(" ", "/X ") + "/X", 1.0, 2.0)
    assert mirror_caption(mirror_caption(caption)) == caption


def test_tokens_are_mirrored_too():
    caption = Caption("turns counter clockwise", "turn/VERB counter/NOUN clockwise/ADV")
    assert mirror_caption(caption).tokens == "turn/VERB clockwise/ADV"
