"""Reports of mixes: what goes wrong where one track passes into another, from what each track adds to the mix."""

from djgraph.reports.contributions import Part, contributions, parts_of
from djgraph.reports.findings import Finding
from djgraph.reports.listener import Listener
from djgraph.reports.report import Report
from djgraph.reports.save import check_report, save_report
from djgraph.reports.transitions import Span

__all__ = [
    "Finding",
    "Listener",
    "Part",
    "Report",
    "Span",
    "check_report",
    "contributions",
    "parts_of",
    "save_report",
]
