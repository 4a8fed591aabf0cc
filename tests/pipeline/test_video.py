"""Reading videos: streaming, and saying what is wrong with a file."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imageio_ffmpeg import get_ffmpeg_exe
from wild import SHARED, write_video

from crossdiff.errors import InputError
from crossdiff.pipeline.video import Video, check_complete, times


def test_frames_come_in_rgb_with_the_size_that_the_header_gives(tmp_path):
    video = Video(write_video(tmp_path / "a.mp4", frames=12))
    frames = list(video.frames())
    assert len(frames) == 12 == video.info.frames
    assert video.info.fps == pytest.approx(20)
    assert frames[0].shape == (140, 160, 3) and video.info.size == (160, 140)


def test_a_name_that_ffmpeg_would_read_as_a_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mp4", frames=2).rename("take:1.mp4")
    assert len(list(Video(Path("take:1.mp4")).frames())) == 2


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b"no video at all\n" * 50, "not a video"), (b"\0" * 4000, "not a video")]
)
def test_what_is_not_a_video_is_said(tmp_path, content, said):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=said):
        Video(tmp_path / "a.mp4")


def test_a_file_cut_short_is_refused(tmp_path):
    whole = write_video(tmp_path / "a.mp4", frames=40).read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=f"truncated: {len(whole) // 2} of"):
        list(Video(tmp_path / "b.mp4").frames())


def test_time_stamps_of_an_even_rate_give_that_rate():
    stamps = 7 + np.round(np.arange(90) / 29.97, 3)
    np.testing.assert_array_equal(times(stamps, 29.97), np.arange(90) / 29.97)


def test_uneven_time_stamps_are_believed():
    stamps = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 60))
    np.testing.assert_allclose(times(stamps, 20.0), stamps - stamps[0])


def test_time_stamps_that_do_not_increase_are_not_believed():
    stamps = np.arange(20) / 10
    stamps[7], stamps[-1] = 0.65, 0.0
    expected = np.arange(20) / 10
    stamps[8] = 0.65
    expected[[7, 8, -1]] = 0.65, 0.775, 1.8 + 1 / 25
    np.testing.assert_allclose(times(stamps, 25.0), expected)
    np.testing.assert_array_equal(times(np.zeros(20), 25.0), np.arange(20) / 25)


@given(st.lists(st.floats(-10, 1000, allow_nan=False), min_size=1, max_size=50), st.sampled_from([1.0, 25.0, 59.94]))
def test_times_always_increase_from_0(stamps, fps):
    seconds = times(np.array(stamps), fps)
    assert seconds[0] == 0 and (np.diff(seconds) > 0).all()


def _ffmpeg(source, target, *options, before=()):
    command = [get_ffmpeg_exe(), "-v", "error", *before, "-i", str(source), "-threads", "1", *options, str(target)]
    subprocess.run(command, check=True, timeout=60)
    return target


def test_a_clip_whose_edit_list_leaves_frames_out_is_whole(tmp_path):
    source = write_video(tmp_path / "a.mp4", frames=100)
    # Cut behind the only key frame: the file keeps frames that it does not show.
    one_key = _ffmpeg(source, tmp_path / "b.mp4", "-c:v", "libx264", "-g", "200")
    video = Video(_ffmpeg(one_key, tmp_path / "c.mp4", "-c", "copy", before=("-ss", "2.1")))
    assert len(list(video.frames())) < video.info.frames


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_frame_rate_is_read_with_its_times(tmp_path, suffix):
    uneven = "setpts='if(lt(N,30),N,30+(N-30)*3)/(20*TB)'"
    source = write_video(tmp_path / "a.mp4", frames=60)
    video = Video(_ffmpeg(source, tmp_path / f"b.{suffix}", "-vf", uneven, "-fps_mode", "vfr"))
    assert len(list(video.frames())) == 60
    frame = np.arange(60)
    np.testing.assert_allclose(video.times, np.where(frame < 30, frame, 30 + (frame - 30) * 3) / 20, atol=2e-3)


def test_other_containers_are_read_whole(tmp_path):
    source = write_video(tmp_path / "a.mp4", frames=30)
    for suffix in ("mkv", "mov", "avi", "webm"):
        assert len(list(Video(_ffmpeg(source, tmp_path / f"b.{suffix}")).frames())) == 30


@pytest.mark.parametrize(
    ("decoded", "declared", "counted", "fine"),
    [(100, 100, True, True), (99, 100, True, True), (98, 100, True, False), (100, 0, True, True), (0, 0, True, False),
     (96, 100, False, True), (90, 100, False, False), (120, 100, True, True)],
)  # fmt: skip
def test_missing_frames(decoded, declared, counted, fine):
    if fine:
        check_complete(decoded, declared, counted)
    else:
        with pytest.raises(InputError):
            check_complete(decoded, declared, counted)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("truncated.avi", "decoded 78 of 164"),
        ("corrupt.avi", "decoded 162 of 164"),
        ("truncated.mp4", "truncated: "),
        ("empty.avi", "empty"),
        ("noise.mp4", "not a video"),
        ("text.mp4", "not a video"),
    ],
)
def test_real_bad_files(name, said):
    with pytest.raises(InputError, match=said):
        list(Video(SHARED / "videos" / "bad" / name).frames())
