"""Reports as text, as JSON and as JUnit's XML."""

import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from .._validation import Violation
from ._report import CheckOutcome, CheckReport

__all__ = ("report_as_json", "report_as_junit", "report_as_text")


def report_as_json(report: CheckReport) -> str:
    """Return *report* as a JSON document."""
    return json.dumps(report.as_dict(), indent=2)


def _remark(outcome: CheckOutcome) -> str:
    if outcome.is_cut:
        return "  (ended because it took too long)"
    if outcome.raised is not None:
        return f"  (raised {' '.join(outcome.raised.split())[:100]})"
    return ""


def _excuse(outcome: CheckOutcome) -> Iterator[str]:
    names = {violation.rule.name for violation in outcome.excused}
    for name in sorted(names):
        yield f"    note: {name} is broken by the framework itself, not counted"


def _violation(violation: Violation) -> Iterator[str]:
    yield f"    {violation.rule.name}: {violation.side} fault"
    yield f"      found:    {violation.found}"
    yield f"      expected: {violation.expected}"
    yield f"      see:      {violation.source}"


def _outcome(outcome: CheckOutcome) -> Iterator[str]:
    mark = "FAIL" if outcome.violations else "ok  "
    yield f"{mark} {outcome.name}: {outcome.text}{_remark(outcome)}"
    for violation in outcome.violations:
        yield from _violation(violation)
    yield from _excuse(outcome)


def report_as_text(report: CheckReport) -> str:
    """Return *report* for people."""
    lines = [line for outcome in report.outcomes for line in _outcome(outcome)]
    count, total = len(report.violations), len(report.outcomes)
    found = "no violations" if count == 0 else f"{count} violations"
    return "\n".join([*lines, "", f"{report.target}: {found} in {total} conversations"])


def report_as_junit(report: CheckReport) -> str:
    """Return *report* as the XML that CI systems read: a test per conversation."""
    failed = sum(bool(outcome.violations) for outcome in report.outcomes)
    suite = ET.Element(
        "testsuite",
        name=f"asgibridge check {report.target}",
        tests=str(len(report.outcomes)),
        failures=str(failed),
        errors="0",
        time=f"{sum(outcome.seconds for outcome in report.outcomes):.6f}",
    )
    for outcome in report.outcomes:
        case = ET.SubElement(
            suite,
            "testcase",
            name=outcome.name,
            classname=report.target,
            time=f"{outcome.seconds:.6f}",
        )
        if outcome.violations:
            names = ", ".join(violation.rule.name for violation in outcome.violations)
            failure = ET.SubElement(case, "failure", message=names)
            failure.text = "\n".join(map(str, outcome.violations))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)
