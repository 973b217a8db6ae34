"""The papers' studies: protocols, runs that can be killed and resumed, reports."""

from ._config import read_protocol
from ._errors import StudyError
from ._presets import DFAL_STRATEGIES, DRE_STRATEGIES, PRESETS, preset
from ._protocol import Protocol
from ._report import StudyReport, study_report, write_report
from ._results import load_results
from ._runner import Execution, run_study

__all__ = [
    "DFAL_STRATEGIES",
    "DRE_STRATEGIES",
    "PRESETS",
    "Execution",
    "Protocol",
    "StudyError",
    "StudyReport",
    "load_results",
    "preset",
    "read_protocol",
    "run_study",
    "study_report",
    "write_report",
]
