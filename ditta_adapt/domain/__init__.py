"""From one video to a domain: what many unlabelled videos teach a model, before each on its own."""

from ditta_adapt.domain.adapt import DomainResult, adapt_to_domain
from ditta_adapt.domain.report import DomainReport

__all__ = ["DomainReport", "DomainResult", "adapt_to_domain"]
