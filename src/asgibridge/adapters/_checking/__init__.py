"""Checking whole applications with the validator."""

from ._check import check_app as check_app
from ._report import CheckOutcome as CheckOutcome, CheckReport as CheckReport
from ._texts import (
    report_as_json as report_as_json,
    report_as_junit as report_as_junit,
    report_as_text as report_as_text,
)

__all__ = (
    "CheckOutcome",
    "CheckReport",
    "check_app",
    "report_as_json",
    "report_as_junit",
    "report_as_text",
)
