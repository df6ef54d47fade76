"""A graph for other hosts: its causal lowering as a web page."""

from djgraph.export.page import Page, web_page
from djgraph.export.program import Program, program_of
from djgraph.export.stems import Bits, Stem, stem_of

__all__ = ["Bits", "Page", "Program", "Stem", "program_of", "stem_of", "web_page"]
