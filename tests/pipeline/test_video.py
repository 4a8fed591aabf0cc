"""Reading videos: streaming, and saying what is wrong with a file."""

import subprocess

import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from wild import SHARED, write_video

from crossdiff.errors import InputError
from crossdiff.pipeline.video import Video, _Clock, check_complete


def test_frames_come_in_rgb_with_the_size_that_the_header_gives(tmp_path):
    video = Video(write_video(tmp_path / "a.mp4", frames=12))
    frames = list(video.frames())
    assert len(frames) == 12 == video.info.frames
    assert video.info.fps == pytest.approx(20)
    assert frames[0].shape == (140, 160, 3) and video.info.size == (160, 140)


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


def test_uneven_time_stamps_are_measured():
    clock = _Clock(20.0)
    for frame in range(60):
        clock.add(frame, frame / 20 + 0.04 * (frame % 2))
    assert clock.drift == pytest.approx(0.04)
    clock.add(60, 60 / 20 + 0.5)
    assert clock.drift == pytest.approx(0.5)


def test_time_stamps_that_go_back_are_not_believed():
    clock = _Clock(20.0)
    for frame, seconds in enumerate([0.05, 0.1, 0.15, 0.0]):
        clock.add(frame, seconds)
    assert clock.drift == pytest.approx(0)


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


def test_a_variable_frame_rate_is_refused(tmp_path):
    uneven = "setpts='if(lt(N,30),N,30+(N-30)*3)/(20*TB)'"
    source = write_video(tmp_path / "a.mp4", frames=60)
    path = _ffmpeg(source, tmp_path / "b.mp4", "-vf", uneven, "-fps_mode", "vfr")
    with pytest.raises(InputError, match="variable frame rate"):
        list(Video(path).frames())


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
