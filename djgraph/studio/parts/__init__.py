"""What a session can do, a module for each subject: its messages, what comes of them, and what a page has to know of it
when it opens. None knows another; all know the session."""

from djgraph.studio.parts.comparing import Comparing
from djgraph.studio.parts.desk import Desk
from djgraph.studio.parts.exports import Exports
from djgraph.studio.parts.fitting import Fitting
from djgraph.studio.parts.ghosts import Ghosts
from djgraph.studio.parts.models import Models
from djgraph.studio.parts.recording import Recording
from djgraph.studio.parts.saving import Saving
from djgraph.studio.parts.sound import Sounding
from djgraph.studio.parts.texts import Texts
from djgraph.studio.parts.timeline import Timeline
from djgraph.studio.parts.transport import Transporting
from djgraph.studio.parts.versions import Versions
from djgraph.studio.parts.waves import Waves

PARTS = (
    Desk,
    Transporting,
    Sounding,
    Timeline,
    Recording,
    Versions,
    Waves,
    Comparing,
    Saving,
    Ghosts,
    Fitting,
    Exports,
    Models,
    Texts,
)

__all__ = ["PARTS"]
