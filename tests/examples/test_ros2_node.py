"""The node's example: messages to frames and back, and the node on a ROS that is made up."""

import sys
from array import array
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import wrap
from ditta_adapt.demo.scenes import render_video
from examples import ros2_node
from examples.ros2_node import Labeller, fill_message, to_frame
from tests.toys import toy_segmenter

FRAMES, _ = render_video(seed=3, num_frames=5, size=(48, 64))


def message_of(pixels: np.ndarray, encoding: str, *, padding: int = 0, stamp: int = 0) -> Any:
    """What looks like a sensor_msgs/Image; rows are longer than their pixels by the padding."""
    height, width = pixels.shape[:2]
    rows = np.full((height, pixels[0].size + padding), 99, np.uint8)
    rows[:, : pixels[0].size] = pixels.reshape(height, -1)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp),
        height=height,
        width=width,
        encoding=encoding,
        step=rows.shape[1],
        data=array("B", rows.tobytes()),
    )


@pytest.mark.parametrize("padding", [0, 5])
def test_a_message_becomes_a_frame(padding: int) -> None:
    rgb = FRAMES[0]
    bgr, grey = rgb[..., ::-1], rgb[..., 1]
    assert np.array_equal(to_frame(message_of(rgb, "rgb8", padding=padding)), rgb)
    assert np.array_equal(to_frame(message_of(bgr, "bgr8", padding=padding)), rgb)
    frame = to_frame(message_of(grey, "mono8", padding=padding))
    assert np.array_equal(frame, np.stack([grey] * 3, 2))
    # It is taken as a frame, also where it is a view of something else.
    assert wrap(toy_segmenter())(frame).shape == grey.shape


def test_another_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="'16UC1'; expected one of rgb8, bgr8, mono8"):
        to_frame(message_of(FRAMES[0], "16UC1"))


def test_labels_become_a_message_that_reads_back() -> None:
    labels = torch.arange(48 * 64).reshape(48, 64) % 256
    header = object()
    message = fill_message(SimpleNamespace(), labels, header)
    assert message.header is header
    assert (message.height, message.width, message.step) == (48, 64, 64)
    assert (message.encoding, message.data.typecode) == ("mono8", "B")
    assert np.array_equal(to_frame(message)[..., 0], labels.numpy())


def test_it_adapts_to_the_first_frames_and_labels_the_next() -> None:
    labeller = Labeller(wrap(toy_segmenter()), 3)
    assert [labeller(frame) for frame in FRAMES[:3]] == [None] * 3
    assert labeller.model.report.num_frames == 3
    # The frames that it adapted to are let go.
    assert labeller.first == []
    assert labeller(FRAMES[3]).shape == (48, 64)


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A ROS of as much as the example uses, which tells what happens and spins over messages."""
    ros = SimpleNamespace(sent=[], errors=[], messages=[], closed=[], parameters={})

    class Node:
        def __init__(self, name: str) -> None:
            self.name = name

        def declare_parameter(self, name: str, default: Any) -> Any:
            return SimpleNamespace(value=ros.parameters.get(name, default))

        def create_publisher(self, kind: type, topic: str, depth: int) -> Any:
            return SimpleNamespace(publish=lambda message: ros.sent.append((topic, message)))

        def create_subscription(
            self, kind: type, topic: str, receive: Callable[[Any], None], quality: str
        ) -> None:
            assert (topic, quality) == ("image", "sensor data")
            ros.receive = receive

        def get_logger(self) -> Any:
            return SimpleNamespace(error=ros.errors.append)

        def destroy_node(self) -> None:
            ros.closed.append("node")

    def spin(node: Node) -> None:
        for message in ros.messages:
            ros.receive(message)
        raise ros.end

    shutdown = type("ExternalShutdownException", (Exception,), {})
    ros.shutdown = ros.end = shutdown
    modules: dict[str, dict[str, Any]] = {
        "rclpy": {
            "init": lambda *, args: None,
            "spin": spin,
            "try_shutdown": lambda: ros.closed.append("ROS"),
        },
        "rclpy.executors": {"ExternalShutdownException": shutdown},
        "rclpy.node": {"Node": Node},
        "rclpy.qos": {"qos_profile_sensor_data": "sensor data"},
        "sensor_msgs": {},
        "sensor_msgs.msg": {"Image": SimpleNamespace},
    }
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(ros2_node, "load_demo_model", toy_segmenter)
    return ros


def test_the_node_publishes_labels_under_the_header_of_their_image(ros: SimpleNamespace) -> None:
    ros.parameters["warmup"] = 2
    ros.messages = [message_of(frame, "rgb8", stamp=t) for t, frame in enumerate(FRAMES)]
    assert ros2_node.main([]) == 0
    assert [topic for topic, _ in ros.sent] == ["labels"] * 3
    assert [message.header.stamp for _, message in ros.sent] == [2, 3, 4]
    assert (ros.errors, ros.closed) == ([], ["node", "ROS"])


def test_a_message_that_cannot_be_labelled_is_logged(ros: SimpleNamespace) -> None:
    """Of an unknown encoding, or of another size than those before; the next one is labelled."""
    ros.parameters["warmup"] = 1
    small = FRAMES[0][:32, :32]
    odd = [message_of(FRAMES[0], "16UC1"), message_of(small, "rgb8")]
    whole = [message_of(frame, "rgb8") for frame in FRAMES]
    ros.messages = [*whole[:2], *odd, *whole[2:]]
    ros.end = KeyboardInterrupt
    assert ros2_node.main([]) == 0
    assert len(ros.sent) == len(FRAMES) - 1
    assert "16UC1" in ros.errors[0]
    assert "(32, 32)" in ros.errors[1]
    assert ros.closed == ["node", "ROS"]


def test_more_classes_than_a_byte_holds_are_refused(ros: SimpleNamespace) -> None:
    many = SimpleNamespace(segmenter=SimpleNamespace(num_classes=300))
    with pytest.raises(ValueError, match="more classes"):
        ros2_node.make_node(many)
