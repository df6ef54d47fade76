"""What a fit or a model proposes: heard against one's own, taken, or dismissed."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import InputError
from djgraph.studio.curves import course_of
from djgraph.studio.messages import Beats, Message, Name
from djgraph.studio.project import Project
from djgraph.studio.proposal import Proposal, taken
from djgraph.studio.session import Part, Session


class Take(Message):
    """What is proposed becomes lanes: of these controls, or of all; in a region of beats, or everywhere. into: this
    version, or the other one, to compare."""

    do: Literal["take"]
    controls: Annotated[tuple[Name, ...], Field(min_length=1, max_length=10_000)] | None = None
    region: tuple[Beats, Beats] | None = None
    into: Literal["this", "other"] = "this"


class Dismiss(Message):
    """The proposal goes."""

    do: Literal["dismiss"]


class Audition(Message):
    """Whether the proposal is heard in place of the project, which stays as it is."""

    do: Literal["audition"]
    on: bool


class Ghosts(Part):
    """``event: proposal`` tells of another one, or of none."""

    messages: ClassVar[tuple[type[Message], ...]] = (Take, Dismiss, Audition)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._heard: Proposal | None = None

    def handle(self, message: Take | Dismiss | Audition) -> None:
        session, proposal = self.session, self.session.proposal
        if proposal is None:
            raise InputError("nothing is proposed")
        match message:
            case Take():
                self._take(message, proposal)
            case Dismiss():
                session.propose(None)
            case Audition():
                self._heard = proposal if message.on else None
                self._follow()
                self._tell()

    def snapshot(self) -> dict[str, Any]:
        proposal = self.session.proposal
        told = None if proposal is None else proposal.told()
        return {"proposal": told, "auditioned": self._heard is not None}

    def changed(self) -> None:
        if self._heard is None:
            return
        if self._heard is self.session.proposal:
            self._follow()
        else:
            self._heard = None
            self._tell()

    def _tell(self) -> None:
        self.session.tell({"event": "auditioned", "on": self._heard is not None})

    def _take(self, message: Take, proposal: Proposal) -> None:
        session, project = self.session, self.session.project
        made = self._taken(project, proposal, message.controls, message.region)
        what = f"take {_names(message.controls)} of {proposal.source}"
        if message.into == "other":
            letter = "B" if project.letter == "A" else "A"
            other = made.model_copy(update={"letter": letter, "other": None})
            session.change(
                project.model_copy(update={"other": other}), f"put {proposal.source} into {letter}"
            )
            return
        if self._heard is not None and message.controls is None and message.region is None:
            self._heard = None
            self._tell()
        session.change(made, what)

    def _taken(
        self, project: Project, proposal: Proposal, controls: Any = None, region: Any = None
    ) -> Project:
        session = self.session
        graph, layout = session.mixer.graph, session.mixer.layout
        samples = session.player.feed.samples
        return taken(project, proposal, layout, samples, graph.sample_rate, controls, region)

    def _follow(self) -> None:
        """The player plays what is auditioned, or the project."""
        session, project = self.session, self.session.project
        if self._heard is not None:
            project = self._taken(project, self._heard)
        graph, samples = session.mixer.graph, session.player.feed.samples
        session.player.follow(course_of(project, session.mixer.layout, samples, graph.sample_rate))


def _names(controls: tuple[str, ...] | None) -> str:
    if controls is None:
        return "all"
    return controls[0] if len(controls) == 1 else f"{len(controls)} controls"
