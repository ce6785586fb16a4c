"""What can be used on this machine, and what to install for the rest: see `ditta-adapt doctor`."""

from ditta_adapt.doctor.examine import examine
from ditta_adapt.doctor.finding import Finding, Status

__all__ = ["Finding", "Status", "examine"]
