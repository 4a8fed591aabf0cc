"""Captions: of labels, from files, and as lines of a text file."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdiff.annotations import VideoCaption, caption_line, captions_for, labels, read_caption_csv
from crossdiff.annotations.actions import known_action, known_label, label_words, names_something
from crossdiff.annotations.captions import by_span, plain_name, read_caption_table
from crossdiff.errors import InputError

# The names of all classes of the dataset, from its classInd.txt.
UCF101 = set(
    """
    ApplyEyeMakeup ApplyLipstick Archery BabyCrawling BalanceBeam BandMarching BaseballPitch Basketball
    BasketballDunk BenchPress Biking Billiards BlowDryHair BlowingCandles BodyWeightSquats Bowling
    BoxingPunchingBag BoxingSpeedBag BreastStroke BrushingTeeth CleanAndJerk CliffDiving CricketBowling
    CricketShot CuttingInKitchen Diving Drumming Fencing FieldHockeyPenalty FloorGymnastics FrisbeeCatch
    FrontCrawl GolfSwing Haircut Hammering HammerThrow HandstandPushups HandstandWalking HeadMassage HighJump
    HorseRace HorseRiding HulaHoop IceDancing JavelinThrow JugglingBalls JumpingJack JumpRope Kayaking Knitting
    LongJump Lunges MilitaryParade Mixing MoppingFloor Nunchucks ParallelBars PizzaTossing PlayingCello
    PlayingDaf PlayingDhol PlayingFlute PlayingGuitar PlayingPiano PlayingSitar PlayingTabla PlayingViolin
    PoleVault PommelHorse PullUps Punch PushUps Rafting RockClimbingIndoor RopeClimbing Rowing SalsaSpin
    ShavingBeard Shotput SkateBoarding Skiing Skijet SkyDiving SoccerJuggling SoccerPenalty StillRings
    SumoWrestling Surfing Swing TableTennisShot TaiChi TennisSwing ThrowDiscus TrampolineJumping Typing
    UnevenBars VolleyballSpiking WalkingWithDog WallPushups WritingOnBoard YoYo
    """.split()  # noqa: SIM905 - a list of strings fills a page
)


def stem(word: str) -> str:
    """`juggling`, `juggles` and `juggle` are one word."""
    return re.sub(r"(ing|es|s|e)$", "", word)


def test_24_labels_of_the_dataset_have_captions():
    assert len(UCF101) == 101
    known = labels("ucf101")
    assert len(known) == 24 and set(known) <= UCF101
    assert {"PullUps", "Biking", "TableTennisShot", "BaseballPitch"} <= set(known)


# All classes of the dataset; the published poses are of those with a single word.
JHMDB = """
    brush_hair catch clap climb_stairs golf jump kick_ball pick pour pullup push run shoot_ball shoot_bow shoot_gun sit
    stand swing_baseball throw walk wave
    """.split()  # noqa: SIM905


@pytest.mark.parametrize("label", JHMDB)
def test_labels_of_jhmdb_have_captions(label):
    for word in label_words(label.removesuffix("up")):
        assert any(stem(word) in caption for caption in captions_for(label))


# All actions of Penn Action, each with the label whose captions it has.
PENN = {
    "baseball_pitch": "BaseballPitch", "baseball_swing": "SwingBaseball", "bench_press": "BenchPress", "bowl": "Bowl",
    "clean_and_jerk": "CleanAndJerk", "golf_swing": "GolfSwing", "jump_rope": "JumpRope",
    "jumping_jacks": "JumpingJack", "pullup": "PullUps", "pushup": "PushUps", "situp": "Situp",
    "squat": "BodyWeightSquats", "strum_guitar": "StrumGuitar", "tennis_forehand": "TennisForehand",
    "tennis_serve": "TennisServe",
}  # fmt: skip


@pytest.mark.parametrize(("label", "known"), PENN.items())
def test_labels_of_penn_action_have_captions(label, known):
    assert known_label(label) == known and len(captions_for(label)) == 15


def test_one_of_five_captions_is_held_out():
    for label in labels():
        every, trained, held_out = (captions_for(label, part) for part in ("all", "train", "held-out"))
        assert {*trained, *held_out} == {*every} and len(held_out) == len(every) / 5 == len(every) - len(trained)
    assert captions_for("rowing", "train") == ["a person is rowing"] and captions_for("rowing", "held-out") == []


def test_every_shipped_label_has_five_plain_sentences_or_more():
    assert set(labels("jhmdb")) == {"".join(map(str.capitalize, label.split("_"))) for label in JHMDB} - {"Pullup"}
    assert set(labels()) == {*labels("ucf101"), *labels("jhmdb"), *labels("penn")}
    for label in labels():
        captions = captions_for(label)
        assert len(captions) in (5, 10, 15)
        assert all(c == c.strip() and "#" not in c and c.islower() and 2 <= len(c.split()) <= 25 for c in captions)


def test_no_caption_is_said_twice():
    captions = [caption for label in labels() for caption in captions_for(label)]
    bare = [re.sub(r"\W+", " ", caption).strip() for caption in captions]
    assert len(set(bare)) == len(captions)


@pytest.mark.parametrize("label", labels())
def test_captions_are_varied_and_miss_no_word_of_the_label(label):
    captions = captions_for(label)
    words = [[stem(word) for word in re.findall(r"\w+", caption)] for caption in captions]
    for word in label_words(label):
        assert any(stem(word) in said or stem(word) in "".join(said) for said in words), word
    long = [said for said in words if len(said) > 7]
    for one, two in itertools.combinations(long, 2):
        assert len(set(one) & set(two)) < 0.7 * len(set(one) | set(two))
    assert len({tuple(said[:5]) for said in long}) == len(long)


@pytest.mark.parametrize(
    "spelling", ["JumpingJack", "JumpingJacks", "jumping_jacks", "Jumping Jacks 2", "jumping-jack"]
)
def test_spellings_of_a_label(spelling):
    assert captions_for(spelling) == captions_for("JumpingJack")


@pytest.mark.parametrize(
    ("label", "caption"),
    [("Archery", "a person does archery"), ("RockClimbingIndoor", "a person does rock climbing indoor"),
     ("rowing", "a person is rowing"), ("skiing", "a person is skiing"), ("Dying Swan", "a person is dying swan"),
     ("Swing", "a person does swing"), ("bring_chairs", "a person does bring chairs")],
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
    assert read_caption_csv(path) == {
        "a.mp4": [VideoCaption("one, two"), VideoCaption("three")],
        "b.mp4": [VideoCaption("four")],
    }


def test_captions_of_parts_of_a_video(tmp_path):
    (tmp_path / "captions.csv").write_text(
        "start,end,video,caption\n0,2.5,a,one\n2.5,,a,two\n,,a,three\n2.5,0,a,four\n"
    )
    found = read_caption_csv(tmp_path / "captions.csv")["a"]
    assert [tuple(c[:3]) for c in found] == [("one", 0, 2.5), ("two", 2.5, 0), ("three", 0, 0), ("four", 2.5, 0)]
    assert by_span(found) == {(0, 2.5): ["one"], (2.5, 0): ["two", "four"], (0, 0): ["three"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [("file,text\na,b\n", "lacks the column video and caption"), ("video,caption\na.mp4,\n", "line 2"),
     ("video,caption,start,end\na,b,2,1\n", "line 2: start and end"),
     ("video,caption,start,end\na,b,-1,1\n", "line 2: start and end"),
     ("video,caption,start\na,b,nan\n", "line 2: start and end"),
     ("video,caption,end\na,b,soon\n", "line 2: start and end"),
     ("video,caption\na,one, two\n", "line 2: more fields than columns; put captions with commas in quotes"),
     ("video,caption,start,end\na,one, two,0,2\n", "more fields than columns"),
     ("", "not a readable CSV"), ("video,caption\na,b,c,d\nx\n", "captions.csv")],
)  # fmt: skip
def test_files_that_cannot_be_used(tmp_path, content, said):
    (tmp_path / "captions.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        read_caption_csv(tmp_path / "captions.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_caption_csv(tmp_path / "captions.csv")


def test_true_frame_rates_come_from_the_column_fps(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("video,caption,fps\na,one,120\na,two,\nb,three,\nc,four,29.97\n")
    assert read_caption_table(path).rates == {"a": 120.0, "c": 29.97}
    assert read_caption_csv(path)["a"] == [VideoCaption("one"), VideoCaption("two")]
    path.write_text("video,caption\na,one\n")
    assert read_caption_table(path).rates == {}


def test_captions_of_one_person_name_their_track(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("video,caption,track\na,one,0\na,two, 12\na,both,\n")
    assert [caption.track for caption in read_caption_csv(path)["a"]] == [0, 12, None]
    for track in ("-1", "t0", "1.5"):
        path.write_text(f"video,caption,track\na,one,{track}\n")
        with pytest.raises(InputError, match=f"line 2: track must be the number of a person.*got '{track}'"):
            read_caption_csv(path)


@pytest.mark.parametrize(
    ("rows", "said"), [("a,one,0.5", "line 2: fps must be 1 to 1000, got '0.5'"), ("a,one,fast", "got 'fast'"),
                       ("a,one,25\na,two,30", "line 3: a has another fps above, 25")]
)  # fmt: skip
def test_frame_rates_that_cannot_be_meant(tmp_path, rows, said):
    (tmp_path / "c.csv").write_text(f"video,caption,fps\n{rows}\n")
    with pytest.raises(InputError, match=said):
        read_caption_table(tmp_path / "c.csv")


@pytest.mark.parametrize(
    "name", ["demo", "IMG_1234", "my phone video (2)", "100GOPRO", "DCIM", "Downloads", "0001", "A", "s1", ""]
)
def test_names_that_cameras_and_people_give_are_no_action(name):
    assert captions_for(name) == [] and not names_something(name) and known_action(name) is None


@pytest.mark.parametrize(
    ("name", "action"),
    [("squat at home 3", "BodyWeightSquats"), ("my jumping jacks", "JumpingJack"), ("pulling up 2", "PullUps"),
     ("IMG_2041 golf swing slow", "GolfSwing"), ("table tennis", "TableTennisShot"), ("tennis-final", "TennisSwing"),
     ("He was running", "Run"), ("waved", "Wave"), ("walking the dog", "WalkingWithDog"), ("clap and walk", "Clap"),
     ("sit-ups", "Situp"), ("tennis serve 2", "TennisServe"), ("a bowl of soup", None),
     ("test run 3", None), ("grandstand", None), ("holiday in Rome", None), ("wavelength", None)],
)  # fmt: skip
def test_the_known_action_among_the_words_of_a_name(name, action):
    assert known_action(name) == action


@pytest.mark.parametrize("label", ["squats", "my squat videos", "Squat (raw)", "body_weight_squat"])
def test_other_names_of_a_label_and_generic_words_beside_it(label):
    assert captions_for(label) == captions_for("BodyWeightSquats")


@pytest.mark.parametrize("content", ["video,caption\na,B\u00e9la jumps\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_a_file_in_another_encoding_is_told_how_to_save_it(tmp_path, content, encoding):
    (tmp_path / "captions.csv").write_text(content, encoding=encoding)
    with pytest.raises(InputError, match=r"captions\.csv: not UTF-8 text; save it as UTF-8"):
        read_caption_csv(tmp_path / "captions.csv")


def test_spellings_of_a_path_are_one_video(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text("video,caption\n./gym/a.mp4,one\ngym\\a.mp4,two\ngym//x/../a.mp4,three\ncafe\u0301,four\n", "utf-8")
    found = read_caption_csv(path)
    assert {name: [c.text for c in captions] for name, captions in found.items()} == {
        "gym/a.mp4": ["one", "two", "three"], "caf\u00e9": ["four"]
    }  # fmt: skip
    assert plain_name("C:\\videos\\a.mp4") == "C:/videos/a.mp4"
    assert plain_name("../videos/./a.mp4") == plain_name("..\\..\\videos\\a.mp4") == "videos/a.mp4"
