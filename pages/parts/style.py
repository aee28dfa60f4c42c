"""All of the program's own CSS. Colours and fonts come from the theme (.streamlit/config.toml); this is only spacing,
and the few things Streamlit has no option for."""

import streamlit as st

from ldvae_core.plots.theme import Mode, palette

_CSS = """
.stMainBlockContainer {{ padding-left: 2.25rem; padding-right: 2.25rem; max-width: 1720px; }}
.stMain h1 {{ font-size: 1.6rem; padding: 0; letter-spacing: -.01em; }}
.gpe-head {{ display: flex; align-items: baseline; gap: .9rem; flex-wrap: wrap; }}
.gpe-head h1 {{ margin: 0; }}
.gpe-head span, .gpe-quiet {{ color: {quiet}; }}
.gpe-line, .gpe-quiet, .gpe-finding {{ font-size: .95rem; line-height: 1.5; font-variant-numeric: tabular-nums; }}
.gpe-finding {{ font-size: 1rem; border-left: 3px solid {accent}; padding: .1rem 0 .1rem .7rem; max-width: 78rem; }}
.gpe-name {{ font-weight: 650; font-size: 1.08rem; line-height: 1.25; letter-spacing: -.005em; }}
.gpe-name small {{ display: block; font-weight: 400; font-size: .8rem; color: {quiet}; letter-spacing: 0; }}
.gpe-state {{ font-size: .82rem; color: {quiet}; display: flex; gap: .45rem; align-items: center; }}
.gpe-state b {{ width: .55rem; height: .55rem; border-radius: 50%; background: {zero}; flex: none; }}
.gpe-state b.good {{ background: {accent}; }}
.gpe-state b.busy {{ background: {paper}; border: 2px solid {accent}; }}
.gpe-state b.bad {{ background: {warning}; }}
.gpe-badge {{ display: inline-block; font-size: .78rem; border: 1px solid {warning}; color: {warning};
  border-radius: 4px; padding: .05rem .4rem; }}
.gpe-facts {{ display: flex; flex-wrap: wrap; gap: .35rem 2.2rem; font-variant-numeric: tabular-nums; }}
.gpe-facts div {{ display: flex; flex-direction: column; }}
.gpe-facts span {{ font-size: .8rem; color: {quiet}; }}
.gpe-facts b {{ font-size: 1.2rem; font-weight: 600; }}
.gpe-card {{ font-size: .88rem; line-height: 1.45; }}
.gpe-card h3 {{ font-size: 1.02rem; margin: 0 0 .15rem; padding: 0; }}
.gpe-card p {{ margin: 0 0 .2rem; }}
.gpe-programs {{ display: grid; grid-template-columns: auto 1fr; gap: .05rem .7rem; font-size: .9rem; }}
.gpe-programs dt {{ color: {quiet}; white-space: nowrap; }}
.gpe-programs dd {{ margin: 0; }}
.st-key-factor_list [role=radiogroup] {{ gap: 0; width: 100%; }}
.st-key-factor_list [role=radiogroup] > label {{ width: 100%; padding: .32rem .4rem; margin: 0;
  border-bottom: 1px solid {lines}; border-radius: 0; }}
.st-key-factor_list [role=radiogroup] > label:hover {{ background: {panel}; }}
.st-key-factor_list [role=radiogroup] > label:has(input:checked) {{ background: {panel}; }}
.st-key-factor_list [data-testid=stCaptionContainer] {{ font-size: .8rem; line-height: 1.35; }}
@media (max-width: 1100px) {{
  .st-key-split > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock],
  .st-key-split > [data-testid=stHorizontalBlock] {{ flex-direction: column; }}
  .st-key-split [data-testid=stHorizontalBlock] > [data-testid=stColumn] {{ width: 100% !important;
    flex: 1 1 100% !important; min-width: 0; }}
  .stMainBlockContainer {{ padding-left: 1.25rem; padding-right: 1.25rem; }}
}}
@media (prefers-reduced-motion: reduce) {{ * {{ animation-duration: 0s !important; transition: none !important; }} }}
"""


def mode() -> Mode:
    """Light or dark, as the person sees the program now; light until the browser has said."""
    return "dark" if st.context.theme.type == "dark" else "light"


def put_style() -> None:
    """Once a page, from the shell."""
    colours = palette(mode())
    st.html(f"<style>{_CSS.format(**{name: getattr(colours, name) for name in colours.__dataclass_fields__})}</style>")
