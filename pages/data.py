"""Stub."""

from pages.parts.header import page_header

page_header("data", "..")
