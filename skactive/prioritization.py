"""In which order to look at tests, and how soon an order finds the mistakes."""

from .retraining._prioritization import (
    PrioritizationReport,
    apfd_score,
    fault_detection_rate,
    prioritization_report,
    prioritize,
)

__all__ = [
    "PrioritizationReport",
    "apfd_score",
    "fault_detection_rate",
    "prioritization_report",
    "prioritize",
]
