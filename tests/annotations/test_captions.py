"""Captions: of labels, from files, and as lines of a text file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.annotations import caption_line, captions_for, labels, read_captions
from crossdiff.annotations.captions import label_words
from crossdiff.errors import InputError


def test_24_labels_with_five_different_captions_each():
    assert len(labels()) == 24
    for label in labels():
        captions = captions_for(label)
        assert len(set(captions)) == 5
        assert all(c == c.strip() and "#" not in c and c.islower() and 4 <= len(c.split()) <= 25 for c in captions)


@pytest.mark.parametrize(
    "spelling", ["JumpingJack", "JumpingJacks", "jumping_jacks", "Jumping Jacks 2", "jumping-jack"]
)
def test_spellings_of_a_label(spelling):
    assert captions_for(spelling) == captions_for("JumpingJack")


@pytest.mark.parametrize(
    ("label", "caption"),
    [("Archery", "a person does archery"), ("RockClimbingIndoor", "a person does rock climbing indoor"),
     ("rowing", "a person is rowing"), ("0001", "a person moves"), ("", "a person moves")],
)  # fmt: skip
def test_unknown_labels_become_a_sentence(label, caption):
    assert captions_for(label) == [caption]


def test_words_of_names():
    assert label_words("v_HandstandPushups_g01_c02") == ["v", "handstand", "pushups", "g", "c"]


def test_a_line_has_caption_tokens_and_times():
    assert (
        caption_line("A person\n jumps, #2.") == "A person jumps, 2.#a/OTHER person/OTHER jumps/OTHER 2/OTHER#0.0#0.0"
    )


@given(st.text(max_size=60))
def test_a_line_always_has_four_fields(text):
    line = caption_line(text)
    assert line.count("#") == 3 and len(line.splitlines()) == 1
    assert all(token.endswith("/OTHER") for token in line.split("#")[1].split())


def test_captions_of_a_file(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text('\ufeffvideo,caption\na.mp4,"one, two"\na.mp4,three\nb.mp4,four\n', encoding="utf-8")
    assert read_captions(path) == {"a.mp4": ["one, two", "three"], "b.mp4": ["four"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [("file,text\na,b\n", "lacks the column video and caption"), ("video,caption\na.mp4,\n", "line 2"),
     ("", "not a readable CSV"), ("video,caption\na,b,c,d\nx\n", "captions.csv")],
)  # fmt: skip
def test_files_that_cannot_be_used(tmp_path, content, said):
    (tmp_path / "captions.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        read_captions(tmp_path / "captions.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_captions(tmp_path / "captions.csv")


@pytest.mark.parametrize("name", ["demo", "IMG_1234", "video (2)"])
def test_names_that_cameras_give_are_no_action(name):
    assert captions_for(name) == ["a person moves"]
