"""All of the program's own CSS. Colours and fonts come from the theme (.streamlit/config.toml); this is only spacing,
and the few things Streamlit has no option for."""

import streamlit as st

from ldvae_core.plots.theme import Mode, palette

# Drawings with a column a factor, type or gene: on a phone they scroll inside their frame, instead of overlapping.
_MANY = (
    "association",
    "covariance",
    "gene_groups",
    "gene_list",
    "matching",
    "design",
    "factor",
    "distributions",
    "test_metric",
    "held_out",
)
_CSS = """
.stMainBlockContainer {{ padding: 1.4rem 2.25rem 2rem; max-width: 1720px; }}
.stAppHeader {{ background: transparent; pointer-events: none; }}
.stAppHeader [data-testid=stToolbar] {{ pointer-events: none; }}
.stAppHeader :is(button, a, input, [role=button]) {{ pointer-events: auto; }}
[data-testid=stSidebarHeader] {{ height: 1.6rem; padding-bottom: 0; margin: 0; }}
[data-testid=stSidebarContent] {{ padding-left: 0; padding-right: 0; }}
[data-testid=stSidebarUserContent] {{ padding-left: 1rem; padding-right: 1rem; }}
[data-testid=stSidebar] .stSelectbox input {{ font-size: .88rem; padding-right: 0; }}
.stSelectbox input {{ text-overflow: ellipsis; }}
.st-key-train_plan [data-variant=segmented_control] {{ padding-left: .5rem; padding-right: .5rem; }}
.st-key-controls [data-testid=stPopover] {{ margin-top: 1.75rem; }}
.st-key-pages [data-testid=stPageLink-NavLink] {{ padding: .36rem .55rem; background: transparent;
  border-left: 3px solid transparent; }}
.st-key-pages [data-testid=stPageLink-NavLink]:hover,
  .st-key-page_in_use [data-testid=stPageLink-NavLink] {{ background: {lines} !important; }}
.st-key-page_in_use [data-testid=stPageLink-NavLink] {{ border-left-color: {accent}; }}
.st-key-pages [data-testid=stPageLink-NavLink]:focus-visible {{ outline: 2px solid {accent}; outline-offset: -2px; }}
/* What is drawn anew every second is not faded meanwhile, however busy the machine. */
:is(.st-key-train_live, .st-key-train_rows_list, .st-key-under_way, [data-testid=stSidebar]) [data-stale=true] {{
  opacity: 1 !important; }}
[data-testid=stSidebar] .stElementContainer:has(.gpe-live) {{ display: none; }}
.stApp:has([data-testid=stExpandSidebarButton]) .stMainBlockContainer {{ padding-top: 3.1rem; }}
[data-testid=stMultiSelectTagsContainer], [data-testid=stMultiSelectTagsContainer] > [role=group] {{
  flex-wrap: wrap !important; height: auto !important; max-height: 9rem; min-width: 0; }}
.stMultiSelect [role=group][data-rac] {{ height: auto; max-height: 9.2rem; }}
.gpe-head {{ display: flex; align-items: baseline; gap: .9rem; flex-wrap: wrap; }}
.gpe-head h1 {{ margin: 0; padding: 0; font-size: 1.6rem; font-weight: 600; letter-spacing: -.01em; }}
.gpe-head span, .gpe-quiet {{ color: {quiet}; }}
.gpe-line, .gpe-quiet, .gpe-finding {{ font-size: .95rem; line-height: 1.5; font-variant-numeric: tabular-nums; }}
.gpe-quiet {{ font-size: .87rem; }}
.gpe-run {{ font-size: .85rem; line-height: 1.35; font-weight: 600; margin: -.35rem 0 -.2rem; }}
.gpe-line, .gpe-quiet, .gpe-finding, .gpe-name, .gpe-run, .gpe-facts b, .gpe-card {{ overflow-wrap: anywhere; }}
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
.gpe-bar {{ height: 4px; border-radius: 2px; background: {lines}; overflow: hidden; margin-top: .25rem; }}
.gpe-bar i {{ display: block; height: 100%; background: {accent}; }}
.st-key-train_status {{ min-height: 5.6rem; }}
.gpe-badge {{ display: inline-block; font-size: .78rem; border: 1px solid {warning}; color: {warning};
  border-radius: 4px; padding: 0 .4rem; margin-right: .25rem; }}
.gpe-badge.gpe-good {{ border-color: {accent}; color: {accent}; }}
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
.gpe-answers dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.1rem; margin: 0; padding: .1rem 0
  .1rem .7rem; border-left: 3px solid {accent}; max-width: 84rem; font-size: 1rem; line-height: 1.5; }}
.gpe-answers dt {{ color: {quiet}; font-weight: 400; }}
.gpe-answers dd {{ margin: 0; font-variant-numeric: tabular-nums; }}
.gpe-glossary dl {{ margin: 0; font-size: .93rem; line-height: 1.45; }}
.gpe-glossary dt {{ font-weight: 600; }}
.gpe-glossary dd {{ margin: 0 0 .55rem; color: {quiet}; }}
.stMain abbr[title] {{ text-decoration: underline dotted {quiet}; text-underline-offset: .2em; cursor: help; }}
.st-key-page_head {{ padding-right: 2.5rem; }}
.st-key-paper_panel_frame {{ overflow-x: auto; }}
.st-key-paper_panel {{ min-width: 1000px; }}
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
[class*=st-key-undo_brief], [class*=st-key-undo_lasting] {{ position: fixed; left: 50%; bottom: 1.2rem; z-index: 1000;
  transform: translateX(-50%); width: max-content !important; max-width: calc(100vw - 2rem); padding: .35rem .9rem;
  border-radius: 6px; border: 1px solid {accent}; background: {paper}; box-shadow: 0 3px 14px rgba(0, 0, 0, .22); }}
[class*=st-key-undo_brief] {{ animation: gpe-leave .3s 20s forwards; }}
[class*=st-key-undo_brief]:hover, [class*=st-key-undo_brief]:focus-within {{ animation: none; }}
@keyframes gpe-leave {{ to {{ opacity: 0; visibility: hidden; }} }}
@media (max-width: 1100px) {{
  [class*=st-key-split] > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] {{ flex-direction: column;
    gap: .5rem; }}
  [class*=st-key-split] [data-testid=stHorizontalBlock] > [data-testid=stColumn] {{ width: 100% !important;
    flex: 1 1 auto !important; min-width: 0; }}
  .st-key-factor_list, [data-testid=stLayoutWrapper]:has(> .st-key-factor_list) {{ height: 18rem !important;
    max-height: 18rem !important; flex: none !important; }}
  .gpe-answers dl {{ grid-template-columns: 1fr; gap: 0 1rem; }}
  .gpe-answers dd {{ margin-bottom: .4rem; }}
  .stMainBlockContainer {{ padding-left: 1.25rem; padding-right: 1.25rem; }}
}}
@media (max-width: 640px) {{
  .stButtonGroup [role=radiogroup] {{ flex-wrap: wrap; row-gap: .25rem; }}
  .stMainBlockContainer {{ padding-left: 1rem; padding-right: 1rem; }}
  {many} {{ overflow-x: auto; }}
  {many} > div {{ min-width: 620px; }}
}}
@media (prefers-reduced-motion: reduce) {{ * {{ animation-duration: 0s !important; transition: none !important; }} }}
"""


def mode() -> Mode:
    """Light or dark, as the person sees the program now; light until the browser has said."""
    return "dark" if st.context.theme.type == "dark" else "light"


PRINT = 2126  # px: 180 mm, the width of a page's two columns, at 300 dots an inch

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
    const scale = format === "png" ? Math.max(3, __PRINT__ / figure.clientWidth) : 1;
    figure._context.toImageButtonOptions = { ...usual, format, scale };
    camera.click();
    figure._context.toImageButtonOptions = usual;
  });
}
</script>"""


def put_style() -> None:
    """Once a page, from the shell."""
    colours = palette(mode())
    values = {name: getattr(colours, name) for name in colours.__dataclass_fields__}
    many = f":is({', '.join(f'.st-key-{key}_{number}' for key in _MANY for number in (0, 1))})"
    st.html(f"<style>{_CSS.format(**values, many=many)}</style>")


def put_saving() -> None:
    """Once a page: lets the buttons of figures.offer_files work."""
    st.html(_SAVE.replace("__PRINT__", str(PRINT)), unsafe_allow_javascript=True)
