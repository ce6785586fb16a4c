"""The report page in Chromium: by mouse, touch and keys, light and dark, wide and narrow."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Show = Callable[..., Any]

PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
PICTURES = Path(__file__).parents[2] / "build" / "report-pages"


def number(page: Any, name: str) -> float:
    """A number of the page's style, such as where the slider stands."""
    script = "name => getComputedStyle(document.documentElement).getPropertyValue(name)"
    return float(page.evaluate(script, name))


def place(page: Any, across: float) -> tuple[float, float]:
    """A point on the picture, from the left in [0, 1]."""
    page.locator(".stage").scroll_into_view_if_needed()
    box = page.locator(".stage").bounding_box()
    return box["x"] + across * box["width"], box["y"] + box["height"] / 2


def picture(page: Any) -> np.ndarray:
    """What the viewer shows, `(H, W, 3)`."""
    file = BytesIO(page.locator(".stage").screenshot())
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """By more than a browser's rounding."""
    return bool(abs(one - other).max() > 8)


def shown(page: Any) -> list[str]:
    """Captions of the samples that are to be seen."""
    return page.locator(".sample:visible").evaluate_all(  # type: ignore[no-any-return]
        "samples => samples.map(sample => sample.dataset.caption)"
    )


def test_slider_follows_the_mouse(show: Show) -> None:
    page = show()
    middle = picture(page)
    page.mouse.move(*place(page, 0.5))
    page.mouse.down()
    for across in (0.4, 0.3, 0.25):
        page.mouse.move(*place(page, across))
    page.mouse.up()
    assert number(page, "--split") == pytest.approx(0.25, abs=0.015)
    assert differ(picture(page), middle)


@pytest.mark.parametrize("across", [0.02, 0.7, 0.98])
def test_slider_goes_where_it_is_clicked_and_touched(show: Show, across: float) -> None:
    page = show()
    page.mouse.click(*place(page, across))
    assert number(page, "--split") == pytest.approx(across, abs=0.015)
    phone = show(**PHONE)
    phone.touchscreen.tap(*place(phone, across))
    assert number(phone, "--split") == pytest.approx(across, abs=0.015)


def test_slider_by_keys_shows_either_model_alone(show: Show) -> None:
    page = show()
    page.locator(".split").focus()
    page.keyboard.press("ArrowLeft")
    assert number(page, "--split") == 0.49
    for key, kind in (("Home", "after"), ("End", "before")):
        page.keyboard.press(key)
        both = picture(page)
        for hidden in ("before", "after"):
            style = page.add_style_tag(content=f".sample .{hidden} {{ visibility: hidden; }}")
            assert differ(picture(page), both) == (hidden == kind)
            style.evaluate("style => style.remove()")


def test_scrubber_by_keys_buttons_and_mouse(show: Show) -> None:
    page = show()
    captions = page.locator(".sample").evaluate_all("all => all.map(one => one.dataset.caption)")
    first = picture(page)

    def is_at(index: int) -> None:
        assert shown(page) == [captions[index]]
        assert page.locator(".caption").inner_text() == captions[index]
        assert page.locator(".scrub").get_attribute("aria-valuetext") == captions[index]

    is_at(0)
    page.get_by_role("button", name="Next frame").click()
    is_at(1)
    assert differ(picture(page), first)
    page.get_by_label("Frame", exact=True).focus()
    page.keyboard.press("ArrowRight")
    is_at(2)
    page.keyboard.press("End")
    is_at(len(captions) - 1)
    page.get_by_role("button", name="Next frame").press("Enter")
    is_at(len(captions) - 1)
    page.get_by_role("button", name="Previous frame").press("Enter")
    is_at(len(captions) - 2)
    box = page.locator(".scrub").bounding_box()
    page.mouse.click(box["x"] + 3, box["y"] + box["height"] / 2)
    is_at(0)


def test_opacity_of_the_labels(show: Show) -> None:
    page = show()
    page.get_by_label("Opacity of the labels").press("Home")
    assert number(page, "--opacity") == 0
    frame = picture(page)
    page.add_style_tag(content=".sample .before, .sample .after { visibility: hidden; }")
    assert not differ(picture(page), frame)


@pytest.mark.parametrize("name", ["street", "least"])
@pytest.mark.parametrize("width", [320, 360, 390, 701, 768, 1280])
def test_page_does_not_scroll_sideways(show: Show, name: str, width: int) -> None:
    page = show(name, viewport={"width": width, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_letters_of_charts_are_legible_and_apart(show: Show) -> None:
    for width in (360, 701, 1280):
        page = show(viewport={"width": width, "height": 800})
        boxes = page.locator(".chart text:visible").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect())"
            ".map(box => [box.x, box.y, box.width, box.height])"
        )
        assert boxes
        assert min(height for *_, height in boxes) >= 9
        for index, (x, y, wide, high) in enumerate(boxes):
            for left, top, w, h in boxes[:index]:
                apart = x >= left + w or left >= x + wide or y >= top + h or top >= y + high
                assert apart


def test_dark_has_other_colours(show: Show) -> None:
    script = """() => ["body", "h1", ".chart text", "#verdict"].map(name => {
        const style = getComputedStyle(document.querySelector(name));
        return [style.color, style.fill, style.backgroundColor].join();
    })"""
    light, dark = (show(color_scheme=scheme).evaluate(script) for scheme in ("light", "dark"))
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_focus_is_seen(show: Show) -> None:
    page = show()
    page.locator(".split").focus()
    before = picture(page)
    page.keyboard.press("Tab")
    assert differ(picture(page), before)
    focused = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(focused) == "solid"


def test_without_a_script_the_first_sample_and_the_charts_show(show: Show) -> None:
    page = show(java_script_enabled=False)
    assert page.locator(".sample:visible").count() == 1
    assert page.locator(".chart svg:visible").count() == 4
    assert page.locator("input:visible, button:visible").count() == 0
    assert page.locator("table:visible").count() == 3


def test_every_picture_can_be_decoded(show: Show) -> None:
    page = show()
    undecoded = """async () => {
        const images = [...document.images];
        images.forEach(image => { image.loading = "eager"; });
        const found = await Promise.allSettled(images.map(image => image.decode()));
        return found.filter(one => one.status === "rejected").length;
    }"""
    assert page.evaluate(undecoded) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_is_photographed(show: Show, scheme: str, width: int) -> None:
    """For people, who see more than tests do."""
    page = show(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager'; })")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    PICTURES.mkdir(parents=True, exist_ok=True)
    assert page.screenshot(path=PICTURES / f"{scheme}-{width}.png", full_page=True)
