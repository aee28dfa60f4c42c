"""The launcher: every answer carries the security headers, and every address goes through the shell."""

import asyncio
import re
from pathlib import Path

import pytest

import app


def answer(scope_type, headers=()):
    """What the browser gets from an answer with these headers."""
    sent = []

    async def inner(scope, receive, send):
        await send({"type": f"{scope_type}.response.start", "status": 200, "headers": list(headers)})

    async def send(message):
        sent.append(message)

    asyncio.run(app.SecurityHeaders(inner)({"type": scope_type}, None, send))
    return dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("name", "value"),
    [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"), (b"x-frame-options", b"DENY")],
)
def test_every_answer_carries_the_headers(name, value):
    """Whatever is served: no guessing of types, no referrer, no frames."""
    assert answer("http")[name] == value


def test_a_weaker_policy_is_replaced():
    """What an answer says itself cannot weaken ours."""
    policy = answer("http", [(b"Content-Security-Policy", b"default-src *")])
    assert [value for name, value in policy.items() if name.lower() == b"content-security-policy"] == [
        app.CONTENT_POLICY.encode()
    ]


def test_the_policy_names_no_other_server():
    """Nothing is fetched from, or sent to, the network; and nobody may put the program in a frame."""
    assert "frame-ancestors 'none'" in app.CONTENT_POLICY
    assert not re.search(r"https?://|\*", app.CONTENT_POLICY)


def test_live_connections_pass_untouched():
    """The headers belong to HTTP answers; a websocket's messages are left alone."""
    assert answer("websocket") == {}


def test_every_address_goes_through_the_shell():
    """The script of the server is the shell, so a deep link opened first finds name, navigation and run."""
    assert Path(app.app.script_path).name == "shell.py"
