"""A walking person in the orders in which pose tools write keypoints, spelt as their documentation does."""

from pathlib import Path
from typing import Any

import numpy as np

from crossdiff.files import write_json

_COCO = "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee LAnkle RAnkle"
_FACE_AND_HANDS = " ".join(["-"] * (68 + 42))
ORDERS = {
    "body25": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle "
    "REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
    "coco18": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip LKnee LAnkle "
    "REye LEye REar LEar",
    "coco17": _COCO,
    "halpe26": f"{_COCO} Head Neck MidHip LBigToe RBigToe LSmallToe RSmallToe LHeel RHeel",
    "halpe136": f"{_COCO} Head Neck MidHip LBigToe RBigToe LSmallToe RSmallToe LHeel RHeel {_FACE_AND_HANDS}",
    "wholebody133": f"{_COCO} LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel {_FACE_AND_HANDS}",
    "body25b": f"{_COCO} Neck Head LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
}
COCO_NAMES = [
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
]  # fmt: skip
# Facing the camera: pixels, y down; x outwards, and the person's left is at the image's right.
_BODY = {
    "Nose": (0, 14), "Eye": (3, 12), "Ear": (6, 14), "Head": (0, 0), "Neck": (0, 28), "Shoulder": (18, 30),
    "Elbow": (24, 60), "Wrist": (27, 85), "MidHip": (0, 85), "Hip": (12, 85), "Knee": (12, 125), "Ankle": (12, 165),
    "BigToe": (15, 175), "SmallToe": (20, 174), "Heel": (11, 170), "-": (0, 15),
}  # fmt: skip


def person(order: str = "coco17", frame: int = 0, x: float = 200, y: float = 300, upside_down: bool = False) -> Any:
    """x, y and score of each keypoint, shape (K, 3); who walks 3 pixels a frame, with a score of 0.9."""
    points = []
    for name in ORDERS[order].split():
        side = {"L": 1, "R": -1}.get(name[0], 0) if name[1:] in _BODY else 0
        across, down = _BODY[name[1:] if side else name]
        points.append((x + 3 * frame + side * across, y - down if upside_down else y + down, 0.9))
    return np.array(points)


def openpose_frame(*people: np.ndarray, **more: Any) -> dict[str, Any]:
    return {
        "version": 1.3,
        "people": [
            {"person_id": [-1], "pose_keypoints_2d": p.ravel().tolist(), "face_keypoints_2d": []} for p in people
        ],
    } | more


def write_openpose(folder: Path, name: str = "walk", frames: int = 4, order: str = "body25", **more: Any) -> Path:
    for n in range(frames):
        write_json(folder / f"{name}_{n:012d}_keypoints.json", openpose_frame(person(order, n, **more)))
    return folder


def alphapose(frames: int = 4, order: str = "coco17", image: str = "{}.jpg", **more: Any) -> list[dict[str, Any]]:
    return [
        {"image_id": image.format(n), "category_id": 1, "keypoints": person(order, n).ravel().tolist(), "score": 3.1,
         "box": [0, 0, 9, 9], **more}
        for n in range(frames)
    ]  # fmt: skip


def mmpose_frames(*frames: list[np.ndarray]) -> list[dict[str, Any]]:
    return [
        {"frame_id": n, "instances": [
            {"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist(), "bbox_score": 1}
            for p in people
        ]}
        for n, people in enumerate(frames)
    ]  # fmt: skip


def coco_file(frames: int = 4, folders: tuple[str, ...] = ("walk",), flag: int = 2, **more: Any) -> dict[str, Any]:
    """COCO annotations of a video in each folder, the images in disorder."""
    images, annotations = [], []
    for video, folder in enumerate(folders):
        for n in reversed(range(frames)):
            number = 100 * video + n
            images.append({"id": number, "file_name": f"{folder}/{n:06d}.jpg", "width": 640, "height": 480})
            values = person(frame=n)
            values[:, 2] = flag
            annotations.append(
                {"id": number, "image_id": number, "category_id": 1, "keypoints": values.ravel().tolist(), **more}
            )
    categories = [{"id": 1, "name": "person", "keypoints": COCO_NAMES, "skeleton": []}]
    return {"images": images, "annotations": annotations, "categories": categories}
