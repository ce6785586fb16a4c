"""All that is looked at, by section."""

from ditta_adapt.doctor.devices import devices
from ditta_adapt.doctor.encoders import encoders
from ditta_adapt.doctor.finding import Finding
from ditta_adapt.doctor.hub import hub
from ditta_adapt.doctor.libraries import libraries
from ditta_adapt.doctor.registered import datasets, propagators, segmenters


def examine(*, offline: bool = False) -> dict[str, list[Finding]]:
    """What was found, by section. No weights are loaded, and nothing is downloaded.

    Args:
        offline: whether to leave the model hub alone.
    """
    sections = {
        "Libraries": libraries(),
        "Devices": devices(),
        "Models of these classes": segmenters(),
        "Propagators": propagators(),
        "Data sets": datasets(),
        "Video encoders": encoders(),
    }
    return sections if offline else {**sections, "Model hub": [hub()]}
