"""The legend of an annotation: names with their counts; a click shows one type alone, a double click hides it."""

from collections.abc import Sequence
from typing import Any, Literal

import streamlit as st

from ldvae_core.plots.theme import legible, palette
from ldvae_core.runs.store import OpenRun
from pages.parts.colour.choice import Colour
from pages.parts.runs import colours_of
from pages.parts.style import mode
from pages.parts.text import plain

HELP = "Click: this alone, or all again. Double click or Delete: hide or show. Escape: all."
Act = Literal["alone", "hide", "all"]
_CSS = """
.types { display: flex; flex-wrap: wrap; gap: .1rem .3rem; max-height: 6.6rem; overflow-y: auto; padding: 2px; }
.types button { display: inline-flex; align-items: center; gap: .35rem; font: inherit; font-size: .82rem;
  line-height: 1.35; color: var(--st-text-color); background: none; border: 1px solid transparent; border-radius: 4px;
  padding: .05rem .35rem; cursor: pointer; max-width: 19rem; }
.types button:hover, .types button:focus-visible { border-color: var(--st-primary-color); outline: none; }
.types i { flex: none; width: .7rem; height: .7rem; border-radius: 50%; background: var(--ink);
  border: 1.5px solid var(--ink); box-sizing: border-box; }
.types b { font-weight: 400; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.types span { color: var(--quiet); font-variant-numeric: tabular-nums; }
.types button[aria-pressed=false] i { background: none; }
.types button[aria-pressed=false] b { color: var(--quiet); text-decoration: line-through; }
"""
# A click waits a moment for a second one. Names are put in as text, never as HTML.
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".types");
  box.setAttribute("aria-label", data.label);
  box.style.setProperty("--quiet", data.quiet);
  const had = parentElement.activeElement && parentElement.activeElement.dataset.place;
  let waiting = null;
  const tell = (act, name) => setTriggerValue("act", { act, name });
  box.replaceChildren(...data.types.map((type, place) => {
    const button = document.createElement("button");
    const dot = document.createElement("i"), name = document.createElement("b"), count = document.createElement("span");
    button.dataset.place = place;
    button.style.setProperty("--ink", type.colour);
    button.setAttribute("aria-pressed", type.shown);
    button.title = `${type.name}: ${type.count} cells. ${data.help}`;
    name.textContent = type.said;
    count.textContent = type.count;
    button.append(dot, name, count);
    button.onclick = event => {
      if (event.detail === 0) return tell("alone", type.name);  // by the keyboard
      if (waiting) { clearTimeout(waiting); waiting = null; return tell("hide", type.name); }
      waiting = setTimeout(() => { waiting = null; tell("alone", type.name); }, 260);
    };
    button.onkeydown = event => {
      if (event.key === "Delete" || event.key === "Backspace") tell("hide", type.name);
      if (event.key === "Escape") tell("all", type.name);
    };
    return button;
  }));
  if (had !== undefined && had !== null && box.children[had]) box.children[had].focus();
}
"""
_mount = st.components.v2.component(
    "gene_programs_legend", html='<div class="types" role="group"></div>', css=_CSS, js=_JS
)


def hidden_types(colour: Colour, key: str) -> tuple[str, ...]:
    """The types that the legend of this key hides, of the annotation that is shown."""
    column, hidden = st.session_state.get(f"{key}_hidden", (None, ()))
    return hidden if column == colour.column else ()


def show_legend(opened: OpenRun, colour: Colour, *, key: str) -> None:
    """Every type with its colour and how many cells it has; nothing for other colourings."""
    column = colour.column
    if column is None:
        return
    labels, hidden, look = opened.labels(column), hidden_types(colour, key), mode()
    counts, inks = labels.value_counts(sort=False), colours_of(opened, column)
    names = [str(name) for name in labels.cat.categories]
    data = {
        "label": f"Types of {plain(column, longest=60)}",
        "quiet": palette(look).quiet,
        "help": HELP,
        "types": [{"name": name, "said": plain(name, longest=60), "count": f"{counts[name]:,}",
                   "colour": legible(inks[name], look), "shown": name not in hidden} for name in names],
    }  # fmt: skip

    def act() -> None:
        asked: Any = getattr(st.session_state[key], "act", None)
        if isinstance(asked, dict) and asked.get("name") in names:
            st.session_state[f"{key}_hidden"] = (column, after(hidden, names, asked["name"], asked["act"]))

    _mount(key=key, data=data, on_act_change=act)


def after(hidden: Sequence[str], names: Sequence[str], name: str, act: Act) -> tuple[str, ...]:
    """The hidden types once a type was asked for alone, hidden or shown, or all were; never all of them."""
    if act == "hide":
        now = set(hidden) ^ {name}
    else:
        others = set(names) - {name}
        now = set() if act == "all" or set(hidden) == others else others
    return () if len(now) == len(set(names)) else tuple(known for known in names if known in now)
