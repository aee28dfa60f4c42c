"""All of the program's own CSS. Colours and fonts come from the theme (.streamlit/config.toml); this is only spacing,
and the few things Streamlit has no option for."""

import streamlit as st

from ldvae_core.plots.theme import Mode, palette

_CSS = """
.stMainBlockContainer {{ padding: 1.4rem 2.25rem 2rem; max-width: 1720px; }}
.stAppHeader {{ background: transparent; pointer-events: none; }}
.stAppHeader button {{ pointer-events: auto; }}
[data-testid=stSidebarHeader] {{ height: 1.6rem; padding-bottom: 0; margin: 0; }}
[data-testid=stSidebarContent] {{ padding-left: 0; padding-right: 0; }}
[data-testid=stSidebarUserContent] {{ padding-left: 1rem; padding-right: 1rem; }}
[data-testid=stSidebar] .stSelectbox input {{ font-size: .88rem; padding-right: 0; }}
.stSelectbox input {{ text-overflow: ellipsis; }}
.st-key-train_plan [data-variant=segmented_control] {{ padding-left: .5rem; padding-right: .5rem; }}
.st-key-controls [data-testid=stPopover] {{ margin-top: 1.75rem; }}
.st-key-pages [data-testid=stPageLink-NavLink] {{ padding: .36rem .55rem; }}
.gpe-head {{ display: flex; align-items: baseline; gap: .9rem; flex-wrap: wrap; }}
.gpe-head h1 {{ margin: 0; padding: 0; font-size: 1.6rem; font-weight: 600; letter-spacing: -.01em; }}
.gpe-head span, .gpe-quiet {{ color: {quiet}; }}
.gpe-line, .gpe-quiet, .gpe-finding {{ font-size: .95rem; line-height: 1.5; font-variant-numeric: tabular-nums; }}
.gpe-quiet {{ font-size: .87rem; }}
.gpe-line, .gpe-quiet, .gpe-finding, .gpe-name, .gpe-facts b, .gpe-card {{ overflow-wrap: anywhere; }}
.gpe-line a {{ color: {accent}; }}
.gpe-lead {{ font-size: 1.05rem; line-height: 1.55; max-width: 62rem; }}
.gpe-finding {{ font-size: 1rem; border-left: 3px solid {accent}; padding: .1rem 0 .1rem .7rem; max-width: 78rem; }}
.gpe-name {{ font-weight: 650; font-size: 1.08rem; line-height: 1.25; letter-spacing: -.005em; }}
.gpe-state {{ font-size: .85rem; color: {quiet}; display: flex; gap: .45rem; align-items: center; }}
.gpe-state b {{ display: block; width: .55rem; min-width: .55rem; height: .55rem; border-radius: 50%;
  background: {zero}; flex: none; }}
.gpe-state b.good {{ background: {accent}; }}
.gpe-state b.busy {{ background: transparent; border: 2px solid {accent}; }}
.gpe-state b.bad {{ background: {warning}; }}
.gpe-badge {{ display: inline-block; font-size: .78rem; border: 1px solid {warning}; color: {warning};
  border-radius: 4px; padding: 0 .4rem; margin-right: .25rem; }}
.gpe-facts {{ display: flex; flex-wrap: wrap; gap: .5rem 2.4rem; font-variant-numeric: tabular-nums; }}
.gpe-facts div {{ display: flex; flex-direction: column; }}
.gpe-facts span {{ font-size: .82rem; color: {quiet}; }}
.gpe-facts b {{ font-size: 1.2rem; font-weight: 600; }}
.gpe-card {{ font-size: .9rem; line-height: 1.45; font-variant-numeric: tabular-nums; }}
.gpe-card h3 {{ font-size: 1.05rem; font-weight: 600; margin: 0 0 .1rem; padding: 0; }}
.gpe-card p {{ margin: 0 0 .25rem; font-size: inherit; }}
.gpe-card .gpe-state {{ margin-bottom: .35rem; }}
.gpe-programs {{ display: grid; grid-template-columns: auto 1fr; gap: .05rem .7rem; font-size: .88rem;
  margin: 0 !important; padding: 0 !important; }}
.gpe-programs dt {{ color: {quiet}; white-space: nowrap; font-weight: 400; }}
.gpe-programs dd {{ margin: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }}
[data-testid=stCaptionContainer] {{ opacity: 1; color: {quiet}; }}
[data-testid=stCaptionContainer] p {{ color: inherit; }}
[data-testid=stSliderThumbValue] p {{ color: {accent}; }}
[data-testid=stCode] .token {{ color: {ink} !important; }}
.gpe-file {{ font-size: .88rem; min-width: 4.2rem; }}
.gpe-files {{ white-space: nowrap; }}
.gpe-save {{ font: inherit; font-size: .88rem; color: {ink}; background: transparent; border: 1px solid {lines};
  border-radius: 4px; padding: .12rem .55rem; cursor: pointer; }}
.gpe-save:hover, .gpe-save:focus-visible {{ border-color: {accent}; color: {accent}; }}
[data-variant=segmented_control][data-selected=true] {{ color: {accent} !important;
  border-color: {accent} !important; }}
.st-key-factor_list [data-testid=stRadioGroup] {{ gap: 0; }}
.st-key-factor_list [data-testid=stRadioGroup] > div {{ width: 100%; padding: .35rem .45rem .4rem;
  border-bottom: 1px solid {lines}; border-left: 3px solid transparent; }}
.st-key-factor_list [data-testid=stRadioGroup] > div:hover {{ background: {panel}; }}
.st-key-factor_list [data-testid=stRadioGroup] > [data-selected=true] {{ background: {panel};
  border-left-color: {accent}; }}
.st-key-factor_list [data-testid=stRadioCaption] p {{ font-size: .82rem; line-height: 1.38; color: {quiet}; }}
.st-key-factor_list [data-testid=stCaptionContainer],
  .st-key-factor_list [data-testid=stRadioCaption] {{ opacity: 1; color: {quiet}; }}
@media (max-width: 1100px) {{
  [class*=st-key-split] > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] {{ flex-direction: column;
    gap: .5rem; }}
  [class*=st-key-split] [data-testid=stHorizontalBlock] > [data-testid=stColumn] {{ width: 100% !important;
    flex: 1 1 auto !important; min-width: 0; }}
  .st-key-factor_list, [data-testid=stLayoutWrapper]:has(> .st-key-factor_list) {{ height: 11rem !important;
    max-height: 11rem !important; flex: none !important; }}
  .stMainBlockContainer {{ padding-left: 1.25rem; padding-right: 1.25rem; }}
}}
@media (prefers-reduced-motion: reduce) {{ * {{ animation-duration: 0s !important; transition: none !important; }} }}
"""


def mode() -> Mode:
    """Light or dark, as the person sees the program now; light until the browser has said."""
    return "dark" if st.context.theme.type == "dark" else "light"


# Drawings are saved by the browser: the camera that plotly gives every figure, asked for one format or the other.
_SAVE = """<script>
if (!window.gpeSaves) {
  window.gpeSaves = true;
  document.addEventListener("click", event => {
    const button = event.target.closest && event.target.closest(".gpe-save");
    const key = button && button.dataset.figure;
    const figure = key && document.querySelector(`.st-key-${CSS.escape(key)} .js-plotly-plot`);
    const camera = figure && [...figure.querySelectorAll(".modebar-btn")]
      .find(tool => (tool.getAttribute("data-title") || "").startsWith("Download plot"));
    if (!camera) return;
    const format = button.dataset.format, usual = figure._context.toImageButtonOptions;
    figure._context.toImageButtonOptions = { ...usual, format, scale: format === "png" ? 3 : 1 };
    camera.click();
    figure._context.toImageButtonOptions = usual;
  });
}
</script>"""


def put_style() -> None:
    """Once a page, from the shell."""
    colours = palette(mode())
    st.html(f"<style>{_CSS.format(**{name: getattr(colours, name) for name in colours.__dataclass_fields__})}</style>")


def put_saving() -> None:
    """Once a page: lets the buttons of figures.offer_files work."""
    st.html(_SAVE, unsafe_allow_javascript=True)
