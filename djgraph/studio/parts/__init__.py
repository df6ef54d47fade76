"""What a session can do, a module for each subject: its messages, what comes of them, and what a page has to know of it
when it opens. None knows another; all know the session."""

from djgraph.studio.parts.desk import Desk
from djgraph.studio.parts.timeline import Timeline
from djgraph.studio.parts.transport import Transporting

PARTS = (Desk, Transporting, Timeline)

__all__ = ["PARTS"]
