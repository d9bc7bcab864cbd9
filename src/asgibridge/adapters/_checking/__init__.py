"""Checking whole applications with the validator."""

from ._check import check_app as check_app
from ._report import CheckOutcome as CheckOutcome, CheckReport as CheckReport
from ._texts import as_json as as_json, as_junit as as_junit, as_text as as_text

__all__ = ("CheckOutcome", "CheckReport", "as_json", "as_junit", "as_text", "check_app")
