"""Reading video files: nothing but the named file, its whole length, its own timeline."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from clips import HEIGHT, WIDTH, shades, write_clip, write_packed

from crossdiff.errors import InputError, VideoError
from crossdiff.video import VideoReader, holds_video, read_header

SHARED = Path(__file__).parents[3] / "shared"
KINDS = {"mp4": "libx264", "mov": "libx264", "mkv": "libx264", "webm": "libvpx", "avi": "mpeg4", "ts": "libx264",
         "mpg": "mpeg2video", "flv": "libx264", "wmv": "wmv2"}  # fmt: skip
MARKER = 250  # the shade of frames that must never be seen


def levels(reader: VideoReader) -> list[float]:
    return [float(frame.mean()) for frame in reader.frames()]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, Path]:
    """30 frames in every container."""
    folder = tmp_path_factory.mktemp("clips")
    return {suffix: write_clip(folder / f"a.{suffix}", shades(30), codec) for suffix, codec in KINDS.items()}


@pytest.mark.parametrize("suffix", KINDS)
def test_a_header_never_makes_a_video_shorter_than_it_is(clips, suffix, tmp_path):
    header = read_header(clips[suffix])
    if suffix in ("mp4", "mov", "mkv", "webm", "avi"):
        assert header is not None and header.fps == 25 and header.size == (WIDTH, HEIGHT)
    assert header is None or 30 <= header.frames < 35
    (tmp_path / "cut.mp4").write_bytes(clips["mp4"].read_bytes()[:200])
    assert read_header(tmp_path / "cut.mp4") is None and read_header(tmp_path / "none.mp4") is None


@pytest.mark.parametrize("suffix", KINDS)
def test_every_container_is_read_whole(clips, suffix):
    reader = VideoReader(clips[suffix])
    np.testing.assert_allclose(levels(reader), 20 + 6 * np.arange(30), atol=4)
    assert reader.info.size == (WIDTH, HEIGHT) and reader.info.fps == 25 and reader.decoded == 1
    start = 0.08 if suffix == "flv" else 0  # FLV shifts the clock by its B-frames
    np.testing.assert_allclose(reader.times, start + np.arange(30) / 25, atol=2e-3)
    assert holds_video(clips[suffix])


@pytest.mark.parametrize("name", ["take:1.mp4", "-x.mp4", "a%03d.mp4", "no suffix", "x.png", "file:y.mp4"])
def test_any_name_is_a_plain_file(clips, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(clips["mp4"].read_bytes())
    assert holds_video(Path(name)) and len(levels(VideoReader(Path(name)))) == 30


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\n{ts}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{mp4}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet '
    'mimeType="video/mp4"><Representation id="1" bandwidth="1000"><BaseURL>{mp4}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "path": "{mp4}\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", ["mp4", "avi", "m3u8", "mpd", "ffconcat", "ts"])
def test_a_file_that_names_others_opens_none(tmp_path, kind, suffix):
    secret = {s: write_clip(tmp_path / f"secret.{s}", [shades(1, MARKER)[0]] * 5) for s in ("ts", "mp4")}
    path = tmp_path / f"list.{suffix}"
    path.write_text(PLAYLISTS[kind].format(**secret))
    assert not holds_video(path)
    with pytest.raises(VideoError, match="not a video"):
        VideoReader(path)


def test_a_pattern_of_pictures_is_no_video(tmp_path):
    for n in range(3):
        write_clip(tmp_path / f"p{n}.png", shades(1, MARKER), "png", "rgb24", container_options={"update": "1"})
    assert not holds_video(tmp_path / "p%d.png") and not holds_video(tmp_path / "p0.png")


def test_a_movie_that_refers_to_another_file_shows_none_of_it(tmp_path):
    """QuickTime's data references: the samples of the track lie in the file that `alis` names."""
    secret = write_clip(tmp_path / "secret.mov", [shades(1, MARKER)[0]] * 5, "mjpeg", "yuvj420p")
    data = secret.read_bytes()
    at = data.index(b"url \0\0\0\1")
    link = str(secret).encode() + b"\0"
    box = (12 + len(link)).to_bytes(4, "big") + b"url \0\0\0\0" + link
    grown = len(box) - 12
    made = data[: at - 4] + box + data[at + 8 :]
    for parent in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        place = made.rindex(parent, 0, at) - 4
        size = int.from_bytes(made[place : place + 4], "big") + grown
        made = made[:place] + size.to_bytes(4, "big") + made[place + 4 :]
    start = made.index(b"mdat") - 4
    end = start + int.from_bytes(made[start : start + 4], "big")
    (tmp_path / "a.mov").write_bytes(made[: start + 8] + bytes(end - start - 8) + made[end:])
    try:
        shown = levels(VideoReader(tmp_path / "a.mov"))
    except VideoError:
        shown = []
    assert not [level for level in shown if abs(level - MARKER) < 20]


def test_stills_texts_and_covers_hold_no_video(tmp_path, clips):
    write_clip(tmp_path / "still.gif", shades(1), "gif", "rgb8")
    write_clip(tmp_path / "moving.gif", shades(3), "gif", "rgb8")
    write_clip(tmp_path / "still.jpg", shades(1), "mjpeg", "yuvj420p", container_options={"update": "1"})
    (tmp_path / "text.mp4").write_text("no video at all\n" * 50)
    (tmp_path / "empty.mp4").touch()

    def cover(stream):
        stream.disposition = 0x400  # attached picture

    write_clip(tmp_path / "cover.mp4", shades(1), "mjpeg", "yuvj420p", audio=1, setup=cover)
    found = {path.name for path in [*tmp_path.iterdir(), tmp_path, tmp_path / "none"] if holds_video(path)}
    assert found == {"moving.gif"}


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b"no video at all\n" * 50, "not a video"), (b"\0" * 4000, "not a video")]
)
def test_what_is_not_a_video_is_said(tmp_path, content, said):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.mp4: {said}"):
        VideoReader(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"none\.mp4: cannot be read \(No such file"):
        VideoReader(tmp_path / "none.mp4")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "mpg", "flv"])
def test_a_longer_audio_track_leaves_the_video_whole(tmp_path, suffix):
    reader = VideoReader(write_clip(tmp_path / f"a.{suffix}", shades(30), KINDS[suffix], audio=4))
    assert len(levels(reader)) == 30 and reader.decoded == 1


def test_a_count_of_frames_that_no_file_can_hold(tmp_path, clips):
    data = clips["avi"].read_bytes()
    for chunk, offset in ((b"avih", 24), (b"strh", 40)):  # as a header that was written to a pipe
        at = data.index(chunk) + offset
        data = data[:at] + (1 << 30).to_bytes(4, "little") + data[at + 4 :]
    (tmp_path / "a.avi").write_bytes(data)
    reader = VideoReader(tmp_path / "a.avi")
    assert reader.info.frames == 0 and len(levels(reader)) == 30 and reader.decoded == 1


@pytest.mark.parametrize("indexed", [True, False])
def test_an_avi_file_that_repeats_frames_is_whole(tmp_path, indexed):
    """Two of three chunks are empty, which shows the frame before them longer."""

    def later(frame):
        frame.pts *= 3
        return frame

    whole = write_clip(tmp_path / "a.avi", noise(30), "mpeg4", change=later).read_bytes()
    (tmp_path / "b.avi").write_bytes(whole if indexed else whole[: whole.rindex(b"idx1")])
    reader = VideoReader(tmp_path / "b.avi")
    assert len(levels(reader)) == 30 and reader.decoded == 1
    np.testing.assert_allclose(reader.times, np.arange(30) * 3 / 25)
    (tmp_path / "c.avi").write_bytes(whole[: len(whole) // 2])
    reader = VideoReader(tmp_path / "c.avi")
    count = len(levels(reader))
    assert count < 20 and reader.decoded == pytest.approx(count / 30, abs=0.04)


@pytest.mark.parametrize("suffix", ["avi", "mp4", "mkv"])
def test_a_title_in_another_encoding_costs_nothing(tmp_path, suffix):
    def title(stream):
        stream.container.metadata["title"] = "title here"

    path = write_clip(tmp_path / f"a.{suffix}", shades(3), KINDS[suffix], setup=title)
    data = path.read_bytes()
    assert b"title here" in data
    path.write_bytes(data.replace(b"title here", b"caf\xe9 \xff\xfe..."))
    assert holds_video(path) and len(levels(VideoReader(path))) == 3


def test_packed_b_frames_are_whole_and_evenly_timed(tmp_path):
    reader = VideoReader(write_packed(tmp_path / "a.avi"))
    np.testing.assert_allclose(levels(reader), 20 + 6 * np.arange(31), atol=6)
    np.testing.assert_allclose(reader.times, np.arange(31) / 25)
    assert reader.decoded == 1


def test_a_movie_whose_edit_list_leaves_frames_out_is_whole(tmp_path):
    data = write_clip(tmp_path / "a.mp4", shades(30), options={"bf": "0"}).read_bytes()
    at = data.index(b"elst") + 12  # version, flags, number of entries
    ticks = int.from_bytes(data[at : at + 4], "big")
    media = data.index(b"mdhd") + 16
    scale = int.from_bytes(data[media : media + 4], "big")
    shorter = (ticks * 2 // 3).to_bytes(4, "big") + round(10 / 25 * scale).to_bytes(4, "big")
    (tmp_path / "b.mp4").write_bytes(data[:at] + shorter + data[at + 8 :])
    reader = VideoReader(tmp_path / "b.mp4")
    np.testing.assert_allclose(levels(reader), 20 + 6 * np.arange(10, 30), atol=4)
    assert reader.decoded == 1 and reader.times[0] == 0


def noise(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 255, (count, HEIGHT, WIDTH, 3), dtype=np.uint8))


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv", "webm", "flv"])
def test_a_file_cut_short_gives_its_first_frames(tmp_path, suffix):
    whole = write_clip(
        tmp_path / f"a.{suffix}", noise(50), KINDS[suffix],
        container_options={"movflags": "faststart"} if suffix == "mp4" else {},
    ).read_bytes()  # fmt: skip
    (tmp_path / f"b.{suffix}").write_bytes(whole[: len(whole) // 2])
    reader = VideoReader(tmp_path / f"b.{suffix}")
    assert 10 < len(levels(reader)) < 40
    assert reader.decoded == pytest.approx(len(reader.times) / 50, abs=0.03)


def test_a_movie_cut_before_its_index_is_refused(tmp_path, clips):
    whole = clips["mp4"].read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: whole.index(b"moov")])
    with pytest.raises(VideoError, match="cut before its index"):
        VideoReader(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", ["mp4", "avi", "ts"])
def test_damaged_frames_are_left_out_and_counted(tmp_path, suffix, capfd):
    data = bytearray(write_clip(tmp_path / f"a.{suffix}", noise(50), KINDS[suffix], options={"g": "10"}).read_bytes())
    for place in (0.3, 0.5, 0.7):
        at = int(place * len(data))
        data[at : at + 60] = np.random.default_rng(at).bytes(60)
    (tmp_path / f"b.{suffix}").write_bytes(data)
    reader = VideoReader(tmp_path / f"b.{suffix}")
    count = len(levels(reader))
    assert 30 < count < 50 and reader.decoded == pytest.approx(count / 50, abs=0.05)
    assert len(reader.times) == count and reader.times[-1] == pytest.approx(49 / 25, abs=0.05)
    assert capfd.readouterr() == ("", "")  # no line of FFmpeg


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "ts"])
def test_a_video_track_that_begins_late_keeps_the_time_of_the_file(tmp_path, suffix):
    times = 2.5 + np.arange(30) / 25
    reader = VideoReader(write_clip(tmp_path / f"a.{suffix}", shades(30), KINDS[suffix], times=times, audio=4))
    assert len(levels(reader)) == 30 and reader.decoded == 1
    np.testing.assert_allclose(reader.times, times, atol=0.03)  # the audio's delay is the clock's zero


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_late_start_without_other_tracks(tmp_path, suffix):
    times = 2.5 + np.arange(30) / 25
    reader = VideoReader(write_clip(tmp_path / f"a.{suffix}", shades(30), times=times))
    assert len(levels(reader)) == 30 and reader.decoded == 1
    np.testing.assert_allclose(reader.times, times, atol=2e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_frame_rate_is_read_with_its_times(tmp_path, suffix):
    frame = np.arange(40)
    times = np.where(frame < 20, frame, 20 + 3 * (frame - 20)) / 20
    reader = VideoReader(write_clip(tmp_path / f"a.{suffix}", shades(40, step=5), times=times, fps=20))
    assert len(levels(reader)) == 40
    np.testing.assert_allclose(reader.times, times, atol=2e-3)


def test_a_rate_that_is_given_replaces_the_time_stamps(clips):
    reader = VideoReader(clips["mkv"], fps=120)
    assert reader.info.fps == 120 and len(levels(reader)) == 30
    np.testing.assert_array_equal(reader.times, np.arange(30) / 120)


def test_a_single_frame(tmp_path):
    reader = VideoReader(write_clip(tmp_path / "a.mp4", shades(1, 90)))
    np.testing.assert_allclose(levels(reader), [90], atol=2)
    assert reader.times.tolist() == [0] and reader.decoded == 1


def test_a_reader_that_is_left_early_closes_its_file(clips):
    opened = Path("/proc/self/fd")
    if not opened.is_dir():
        pytest.skip("only Linux lists the open files of a process")
    before = len(list(opened.iterdir()))
    with VideoReader(clips["mp4"]) as reader:
        next(reader.frames())
    reader_of_all = VideoReader(clips["mkv"])
    assert len(list(opened.iterdir())) == before + 1
    levels(reader_of_all)
    assert len(list(opened.iterdir())) == before


def test_threads_follow_the_worker(monkeypatch, clips):
    from crossdiff.video import reader as module

    for wanted, threads in (("1", 1), ("3", 3), ("64", 4)):
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
        assert module._threads() == threads


def test_the_error_names_the_file_and_the_reason_alone(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(VideoError, match=re.escape(str(tmp_path / "a.mp4"))) as caught:
        VideoReader(tmp_path / "a.mp4")
    assert caught.value.reason == "empty file"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips are not beside the checkout")
@pytest.mark.parametrize(("name", "share"), [("truncated.avi", 78 / 164), ("corrupt.avi", 161 / 164)])
def test_real_damaged_files_give_what_decodes(name, share):
    reader = VideoReader(SHARED / "videos" / "bad" / name)
    assert len(levels(reader)) == round(164 * share) and reader.decoded == pytest.approx(share)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips are not beside the checkout")
@pytest.mark.parametrize("name", ["truncated.mp4", "empty.avi", "noise.mp4", "text.mp4"])
def test_real_useless_files(name):
    path = SHARED / "videos" / "bad" / name
    assert not holds_video(path)
    with pytest.raises(VideoError, match=r"not a video|empty"):
        VideoReader(path)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips are not beside the checkout")
def test_a_real_clip_with_packed_b_frames():
    reader = VideoReader(next((SHARED / "videos" / "ucf101").glob("*/*.avi")))
    assert len(levels(reader)) == 164 and reader.decoded == 1
    np.testing.assert_allclose(reader.times, np.arange(164) / 25)
