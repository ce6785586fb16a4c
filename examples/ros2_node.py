"""A node of ROS 2 that labels the images of a topic.

    python examples/ros2_node.py --ros-args -r image:=/camera/image_raw -p warmup:=16

It subscribes to `image` (sensor_msgs/Image in rgb8, bgr8 or mono8), adapts to the first messages,
and publishes the labels of every later one to `labels`: mono8, a pixel is the number of its class.
Put your own model in place of the demo's. `cv_bridge` is not needed.
"""

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ditta_adapt import DittaError, VideoSegmenter, wrap
from ditta_adapt.demo.model import load_demo_model

CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1}


def to_frame(message: Any) -> npt.NDArray[np.uint8]:
    """The `(H, W, 3)` RGB frame of an image message.

    Raises:
        ValueError: another encoding.
    """
    channels = CHANNELS.get(message.encoding)
    if channels is None:
        raise ValueError(f"an image is {message.encoding!r}; expected one of {', '.join(CHANNELS)}")
    # A row may be longer than its pixels.
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    pixels = rows[:, : message.width * channels].reshape(message.height, message.width, channels)
    if message.encoding == "bgr8":
        pixels = pixels[..., ::-1]
    return np.broadcast_to(pixels, (message.height, message.width, 3))


def fill_message(message: Any, labels: Tensor, header: Any) -> Any:
    """An empty image message, filled with labels `(H, W)` below 256, and the image's header."""
    message.header, message.encoding, message.is_bigendian = header, "mono8", 0
    message.height, message.width = labels.shape
    message.step = message.width
    # An array is taken as it is; bytes would be looked at one by one.
    message.data = array("B", labels.to("cpu", torch.uint8).numpy().tobytes())
    return message


class Labeller:
    """Collects the first frames, adapts to them, and labels all that come later."""

    def __init__(self, model: VideoSegmenter, warmup: int) -> None:
        self.model, self.warmup = model, warmup
        self.first: list[npt.NDArray[np.uint8]] = []

    def __call__(self, frame: npt.NDArray[np.uint8]) -> Tensor | None:
        """The labels of a frame; none before it is adapted."""
        if self.model.report is not None:
            return self.model(frame)
        self.first.append(frame)
        if len(self.first) >= self.warmup:
            first, self.first = self.first, []
            self.model.adapt(first)
            # Messages were missed meanwhile: the next one does not follow the last.
            self.model.clear_memory()
        return None


def make_node(model: VideoSegmenter) -> Any:
    """The node; a message that cannot be labelled is logged, and the next one is waited for."""
    from rclpy.node import Node
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    node = Node("ditta_adapt")
    if model.segmenter.num_classes > 256:
        raise ValueError("the model has more classes than a pixel of mono8 has values")
    labeller = Labeller(model, node.declare_parameter("warmup", 16).value)
    publisher = node.create_publisher(Image, "labels", 10)

    def receive(message: Any) -> None:
        try:
            labels = labeller(to_frame(message))
        except (DittaError, ValueError) as error:
            node.get_logger().error(str(error))
            return
        if labels is not None:
            publisher.publish(fill_message(Image(), labels, message.header))

    # As cameras publish: the newest image, without waiting for a lost one.
    node.create_subscription(Image, "image", receive, qos_profile_sensor_data)
    return node


def main(arguments: Sequence[str] | None = None) -> int:
    """Label until ROS is shut down, or Ctrl-C."""
    import rclpy
    from rclpy.executors import ExternalShutdownException

    rclpy.init(args=arguments)
    node = make_node(wrap(load_demo_model()))
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
