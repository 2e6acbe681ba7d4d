"""The forms of the page: what a person sends, done or only shown.

Only the page itself may send them: another site could make a browser post a form to this machine, so every request must say
that it comes from the same origin (Sec-Fetch-Site, which scripts cannot set; `Origin` is null under our referrer policy).
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl, quote

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from agent.errors import NotFoundError, UsageError
from agent.serve import edits
from agent.serve.edits import EditIn
from agent.serve.limits import PAGE_HEADERS
from agent.serve.web import live
from agent.serve.web.page import Page, render
from agent.service import Service

FORM = "application/x-www-form-urlencoded"


async def submit(service: Service, request: Request, now: datetime) -> Response:
    """Do what a form asks for and go back to the page; with `preview`, show what it would do. What cannot be is said on the
    page. Raises HTTPException for what no form of ours sends, NotFoundError for an unknown user."""
    if request.headers.get("sec-fetch-site") != "same-origin":
        raise HTTPException(403, "this form can only be sent from the page itself; programs use /v1/users/USER/edits")
    if request.headers.get("content-type", "").partition(";")[0] != FORM:
        raise HTTPException(415, f"a form is {FORM}")
    fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), max_num_fields=20))
    user, shown = fields.pop("user", ""), fields.pop("preview", "")
    try:
        said = EditIn.model_validate({name: value for name, value in fields.items() if value})
        if shown:
            found = edits.preview(service, await service.control.preview(user, edits.wish(said), now=now, k=live.SHOWN))
            return _page(await live.page(service, user, now, tried=(found, said)), 200)
        await service.control.edit(user, edits.wish(said), now=now)
    except ValidationError as exc:
        return _page(await live.page(service, user, now, refused=f"{exc.errors()[0]['msg']}."), 422)
    except UsageError as exc:
        if isinstance(exc, NotFoundError) and not service.store.has_user(user):
            raise
        return _page(await live.page(service, user, now, refused=f"{exc}. {exc.hint}".strip()), 422)
    return RedirectResponse(f"/?user={quote(user, safe='')}", 303)


def _page(page: Page, status: int) -> HTMLResponse:
    return HTMLResponse(render(page), status, headers=PAGE_HEADERS)
