"""What the handlers of the HTTP service are given: the service, the time, and the user that the path names."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Request

from agent.service import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock()
    return now


Open = Annotated[Service, Depends(_service)]
Now = Annotated[datetime, Depends(_now)]
User = Annotated[str, Path(description="user id", examples=["mara"])]
