"""Launcher: `streamlit run app.py`. Every address goes through pages/shell.py; the queue is looked after from here."""

import logging
import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldvae_core import __version__
from ldvae_core.work import start_work
from ldvae_core.workspace.folders import Workspace, sync_warning, synced_by
from ldvae_core.workspace.system import allow_many_files
from pages.parts.warm import warm_up

log = logging.getLogger("gene_program_explorer")

# Streamlit and plotly write styles into the page and run workers from blobs; nothing comes from another server.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss: data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    b"content-security-policy": CONTENT_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
}


class SecurityHeaders:
    """Adds HEADERS to every HTTP answer, in place of what it may have said itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in HEADERS]
                message["headers"] = [*kept, *HEADERS.items()]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Look after the queue as long as the server runs; the processes that work outlive it."""
    allow_many_files()
    workspace = Workspace.default()
    if service := synced_by(workspace.root):
        log.warning("%s", sync_warning(service))
    dispatcher = start_work(workspace)
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    try:
        yield {"dispatcher": dispatcher}
    finally:
        dispatcher.stop()


def say_error_number(fault: Exception) -> bool:
    """A bug stays loud, without showing a stranger the inside: a number on screen, everything in the log."""
    number = uuid.uuid4().hex[:8]
    log.error("error %s on a page", number, exc_info=fault)
    st.error(
        f"The program made a mistake (error {number}); nothing of yours was changed. Reload the page. If it happens "
        "again, tell whoever looks after this program the number: the log has the details.",
        icon=":material/bug_report:",
    )
    return True


async def health(request: Request) -> JSONResponse:
    """Whether the server answers, and in which version."""
    return JSONResponse({"status": "ok", "version": __version__})


app = st.App(
    Path(__file__).resolve().parent / "pages" / "shell.py",
    lifespan=lifespan,
    on_script_error=say_error_number,
    routes=[Route("/health", health)],
    middleware=[Middleware(SecurityHeaders)],
)
