"""What a page may say: the base of all messages. Each part of a session declares its own; a page may be anybody's, so
every field has limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]
Seconds = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e6)]
Beats = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e7)]
LONGEST = 1 << 22
"""Bytes of a message, at most."""
WRONG = "this went wrong inside the studio; the terminal in which it runs says more"
"""What pages are told of an error that nobody has foreseen; its traceback is for whoever started the studio."""


class Message(BaseModel):
    """``do`` says what; ``id`` comes back with the answer."""

    model_config = ConfigDict(extra="forbid")
    id: int = Field(default=0, ge=0, le=2**53)
