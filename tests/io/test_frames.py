from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ditta_adapt.errors import DittaError, InputError, ShapeError
from ditta_adapt.io.frames import Frame, frame_to_tensor, frames_to_tensors

quick = settings(max_examples=50, deadline=None)
images = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda size: hnp.arrays(np.uint8, (*size, 3))
)


@quick
@given(image=images, as_tensor=st.booleans())
def test_channels_come_first_and_nothing_else_changes(image: np.ndarray, as_tensor: bool) -> None:
    tensor = frame_to_tensor(torch.from_numpy(image) if as_tensor else image)
    assert tensor.dtype == torch.uint8
    assert tensor.shape == (3, *image.shape[:2])
    for y, x, c in np.ndindex(image.shape):
        assert tensor[c, y, x] == image[y, x, c]


@quick
@given(image=images, steps=st.tuples(*[st.sampled_from([1, -1, 2, -2])] * 2))
def test_any_strides_will_do(image: np.ndarray, steps: tuple[int, int]) -> None:
    """Such as a flipped image, or one turned from BGR with a negative step."""
    view = image[:: steps[0], :: steps[1], ::-1]
    view.flags.writeable = False
    tensor = frame_to_tensor(view)
    np.testing.assert_array_equal(tensor.numpy(), np.moveaxis(view, 2, 0))


@pytest.mark.parametrize("make", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_a_frame_is_copied(make: Callable[[np.ndarray], Frame]) -> None:
    """A decoder may reuse its buffer, and the caller's frame is never written to."""
    image = make(np.full((2, 2, 3), 7, np.uint8))
    tensor = frame_to_tensor(image)
    image[:] = 9
    assert (tensor == 7).all()
    tensor.zero_()
    assert (image == 9).all()


@pytest.mark.parametrize("make", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_a_video_in_one_buffer(make: Callable[[np.ndarray], Frame]) -> None:
    buffer = make(np.zeros((2, 2, 3), np.uint8))

    def camera() -> Iterator[Frame]:
        for value in (3, 5, 8):
            buffer[:] = value
            yield buffer

    assert [int(tensor.max()) for tensor in frames_to_tensors(camera())] == [3, 5, 8]


def test_a_pil_image_by_way_of_numpy() -> None:
    image = Image.new("RGB", (4, 2), (10, 20, 30))
    tensor = frame_to_tensor(np.asarray(image))
    assert tensor.shape == (3, 2, 4)
    assert tensor[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((3, 5, 4), "channels-first"),
        ((5, 4, 4), "alpha channel"),
        ((1, 5, 4, 3), "without a batch axis"),
        ((5, 4), "grey"),
        ((5, 4, 1), "grey"),
        ((5, 3), r"use \[frame\]"),
        ((5, 4, 7), "RGB"),
        ((5,), "RGB"),
        ((), "RGB"),
    ],
)
def test_wrong_shapes_and_what_to_do_about_them(
    shape: tuple[int, ...], hint: str, kind: str
) -> None:
    frame = np.zeros(shape, np.uint8) if kind == "numpy" else torch.zeros(shape, dtype=torch.uint8)
    with pytest.raises(ShapeError, match=hint) as error:
        frame_to_tensor(frame, name="frame 3")
    assert str(error.value).startswith(f"frame 3 has shape {shape}; expected (H, W, 3)")


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3)])
def test_no_pixel(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="at least one pixel"):
        frame_to_tensor(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((2, 2, 3)),
        np.zeros((2, 2, 3), np.int8),
        np.zeros((2, 2, 3), bool),
        torch.zeros(2, 2, 3),
        torch.zeros(2, 2, 3, dtype=torch.int64),
    ],
    ids=lambda frame: str(frame.dtype),
)
def test_wrong_dtypes(frame: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=rf"dtype {frame.dtype}; expected uint8"):
        frame_to_tensor(frame)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("frame", [None, [[[0, 0, 0]]], 3])
def test_what_is_no_image(frame: object) -> None:
    with pytest.raises(ShapeError, match=rf"is a {type(frame).__name__};.*path.*Pillow"):
        frame_to_tensor(frame)


def test_images_of_pillow_and_their_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # Shown after a quarter turn clockwise.
    upright, turned = tmp_path / "upright.png", tmp_path / "turned.png"
    Image.fromarray(pixels).save(upright)
    Image.fromarray(pixels).save(turned, exif=exif)
    expected = torch.from_numpy(pixels).permute(2, 0, 1)
    for frame in (Image.fromarray(pixels), upright, str(upright)):
        assert torch.equal(frame_to_tensor(frame), expected)
    with Image.open(turned) as image:
        for frame in (image, turned):
            assert torch.equal(frame_to_tensor(frame), expected.rot90(-1, dims=(1, 2)))
    grey = frame_to_tensor(Image.fromarray(pixels).convert("L"))
    assert grey.shape == (3, 4, 6)
    assert torch.equal(grey[0], grey[2])


@pytest.mark.parametrize("path", ["missing.png", "text.png"])
def test_files_that_are_no_image(tmp_path: Path, path: str) -> None:
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(InputError, match=f"{path} cannot be read"):
        frame_to_tensor(tmp_path / path)


@pytest.mark.parametrize("path", ["clip.mp4", Path("clip.mp4")])
def test_a_path_is_no_sequence_of_frames(path: str | Path) -> None:
    with pytest.raises(InputError, match=r"one path.*read_video\(path\).*list of their paths"):
        frames_to_tensors(path)  # type: ignore[arg-type]


@quick
@given(stack=hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 3).map(lambda s: (*s, 3))))
def test_all_forms_of_a_video_are_the_same(stack: np.ndarray) -> None:
    def one_by_one() -> Iterator[np.ndarray]:
        yield from stack

    expected = torch.from_numpy(np.moveaxis(stack, 3, 1).copy())
    for video in (stack, list(stack), one_by_one(), torch.from_numpy(stack)):
        assert torch.equal(torch.stack(frames_to_tensors(video)), expected)


def test_frames_of_different_size_are_named() -> None:
    video = [np.zeros((4, 5, 3), np.uint8)] * 2 + [np.zeros((5, 4, 3), np.uint8)]
    with pytest.raises(ShapeError, match=r"frame 2 is \(5, 4\).*frame 0 is \(4, 5\)"):
        frames_to_tensors(video)


def test_a_malformed_frame_is_named() -> None:
    video = [np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5, 4), np.uint8)]
    with pytest.raises(ShapeError, match="frame 1 has shape"):
        frames_to_tensors(video)


def test_one_frame_in_place_of_a_sequence() -> None:
    with pytest.raises(ShapeError, match=r"frame 0 .*use \[frame\]"):
        frames_to_tensors(np.zeros((4, 5, 3), np.uint8))


@pytest.mark.parametrize("video", [[], np.zeros((0, 4, 4, 3), np.uint8)], ids=["list", "array"])
def test_no_frame(video: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match="at least one frame"):
        frames_to_tensors(video)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("video", [None, 7, np.array(None), torch.tensor(0)], ids=repr)
def test_what_is_no_sequence(video: object) -> None:
    """`numpy.asarray(generator)`, an easy mistake, is an array without axes."""
    with pytest.raises(InputError, match="expected a sequence"):
        frames_to_tensors(video)


def test_errors_can_be_caught_as_value_errors() -> None:
    assert issubclass(ShapeError, InputError)
    assert issubclass(InputError, ValueError)
    assert issubclass(InputError, DittaError)
