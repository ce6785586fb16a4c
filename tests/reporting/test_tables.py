from ditta_adapt.reporting.tables import markdown, plain

LINES = [["method", "mIoU"], ["iss", "45.00"], ["ditta-no-addon", "5.00"]]


def test_columns_of_equal_width() -> None:
    """The first to the left, the others to the right."""
    assert plain(LINES).splitlines() == [
        "method           mIoU",
        "iss             45.00",
        "ditta-no-addon   5.00",
    ]


def test_a_heading_alone() -> None:
    assert plain(LINES[:1]) == "method  mIoU"
    assert markdown(LINES[:1]) == "| method | mIoU |\n| --- | ---: |"


def test_markdown() -> None:
    assert markdown(LINES).splitlines() == [
        "| method | mIoU |",
        "| --- | ---: |",
        "| iss | 45.00 |",
        "| ditta-no-addon | 5.00 |",
    ]
