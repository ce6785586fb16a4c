"""Functions of a user's from an image to what a model takes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import HookedSegmenter, InputError
from ditta_adapt.models.carried import preprocessing_for
from ditta_adapt.models.image_function import ImageFunction
from ditta_adapt.models.sizes import SizeRule
from tests.toys import ToyNet, toy_video


def frame_of(size: tuple[int, int] = (37, 50)) -> Tensor:
    return torch.from_numpy(toy_video(1, size=size)[0]).permute(2, 0, 1)[None]


def of_tensor(image: Tensor) -> Tensor:
    if not isinstance(image, Tensor):
        raise TypeError("a tensor")
    return image.float() / 255 - 0.5


def of_array(image: Any) -> Any:
    if not isinstance(image, np.ndarray):
        raise TypeError("an array")
    return image.astype(np.float32) / 255 - 0.5


def of_pillow(image: Any) -> Tensor:
    return torch.from_numpy(np.asarray(image.convert("RGB")) / 255 - 0.5).permute(2, 0, 1)


class Keyword:
    """As transforms of albumentations are called."""

    __module__ = "albumentations.core"

    def __call__(self, *, image: Any) -> dict[str, Any]:
        return {"image": of_array(image)}


@pytest.mark.parametrize("function", [of_tensor, of_array, of_pillow, Keyword()])
def test_what_it_takes_is_found(function: Any) -> None:
    frame = frame_of()
    images = preprocessing_for(ToyNet(), function)(frame)
    torch.testing.assert_close(images, frame.float() / 255 - 0.5)
    assert HookedSegmenter(ToyNet(), processor=function).preprocess(frame).dtype == torch.float32


def test_what_it_gives_is_resized_to_what_the_model_takes() -> None:
    function = ImageFunction.of(of_tensor).for_sizes(SizeRule(multiple=32))
    assert function(frame_of((70, 90))).shape == (1, 3, 64, 96)
    assert function.size_of(70, 90) == (64, 96)


def crop(image: Tensor) -> Tensor:
    return of_tensor(image)[:, 8:-8, 8:-8]


def mirror(image: Tensor) -> Tensor:
    return of_tensor(image).flip(2)


def upside_down(image: Tensor) -> Tensor:
    return of_tensor(image).flip(1)


@pytest.mark.parametrize("function", [crop, mirror, upside_down])
def test_labels_have_to_lie_over_the_frame(function: Any) -> None:
    with pytest.raises(InputError, match="border of the image off, or turns or mirrors"):
        preprocessing_for(ToyNet(), function)


def bgr(image: Tensor) -> Tensor:
    return of_tensor(image).flip(0)


def larger(image: Tensor) -> Tensor:
    return nn.functional.interpolate(of_tensor(image)[None], scale_factor=1.5, mode="bilinear")[0]


@pytest.mark.parametrize("function", [bgr, larger])
def test_channels_and_sizes_may_change(function: Any) -> None:
    preprocessing_for(ToyNet(), function)


def test_random_transforms_are_those_of_training() -> None:
    def noisy(image: Tensor) -> Tensor:
        return of_tensor(image) + torch.rand(1)

    with pytest.raises(InputError, match=r"another image each time.*of evaluation"):
        preprocessing_for(ToyNet(), noisy)


def test_what_gives_no_image() -> None:
    with pytest.raises(InputError, match=r"takes no image.*expected a floating-point image"):
        preprocessing_for(ToyNet(), lambda image: image)
