"""What is under way, where it moves: percent in the browser's tab, the sidebar and on Home, and a call when it ends."""

import html
import json
import math
from collections.abc import Sequence

import streamlit as st

from ldvae_core.data.formats import suffixes
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.cards import RunCard, TrainingProgress
from pages.parts.job_bar import NOT_ANSWERING
from pages.parts.runs import STATE_DOTS, STATE_WORDS, go_next, store
from pages.parts.text import as_html, clock, plain, show

PROGRAM = "Gene Program Explorer"
LIVE = ("queued", "running")
SEEN = "live_seen"  # in the session: the runs that were under way while it looked
EVERY = 2.0  # seconds
ENDS = {"finished": "Finished", "failed": "Failed", "interrupted": "Interrupted"}  # what nobody asked for just now

# The tab's title and notifications follow the hidden element .gpe-live, which is drawn anew every two seconds.
# Permission is asked for by a click only, once: the browser keeps the answer.
_SCRIPT = """<script>
if (!window.gpeStates) {
  window.gpeStates = {};
  const may = () => window.Notification ? Notification.permission : "denied";
  const offer = () => document.querySelectorAll(".gpe-notify").forEach(button => {
    button.style.visibility = may() === "denied" ? "hidden" : "visible";
    button.disabled = may() !== "default";
    const words = may() === "granted" ? "You will be told when it ends" : "Tell me when it ends";
    if (button.textContent !== words) button.textContent = words;
  });
  const look = () => {
    offer();
    const told = document.querySelector(".gpe-live");
    if (!told) return;
    if (document.title !== told.dataset.title) document.title = told.dataset.title;
    for (const run of JSON.parse(told.dataset.runs)) {
      const before = window.gpeStates[run.id];
      window.gpeStates[run.id] = run.state;
      if (before !== undefined && before !== run.state && run.words && may() === "granted")
        new Notification(run.words, { body: run.name, tag: run.id });
    }
  };
  setInterval(look, 500);
  document.addEventListener("click", event => {
    if (event.target.closest && event.target.closest(".gpe-notify")) Notification.requestPermission().then(offer);
  });
}
</script>"""


def at_work(cards: Sequence[RunCard]) -> RunCard | None:
    """The run that is being trained, None when nothing is."""
    return next((card for card in cards if card.state == "running"), None)


def short_name(card: RunCard) -> str:
    """Its data, in a few letters: 'kang18_ifnb_pbmc'."""
    name = card.data_name.split(" (")[0] or card.name
    ending = next((suffix for suffix in suffixes() if name.endswith(suffix)), "")
    return plain(name.removesuffix(ending), longest=24)


def tab_title(cards: Sequence[RunCard]) -> str:
    """'62% · Kang' while a run is being trained, else the program's name."""
    card = at_work(cards)
    return PROGRAM if card is None else f"{share_of(card):.0%} · {short_name(card)}"


def share_of(card: RunCard) -> float:
    """Of the run's time, 0 to 1."""
    return _progress(card).share


def left_words(seconds: float) -> str:
    """'0:41 left', 'nearly done'; "" while it is not known."""
    return "" if math.isnan(seconds) else f"{clock(seconds)} left" if seconds >= 1 else "nearly done"


def put_calling() -> None:
    """Once a page: lets the tab's title and notifications follow what show_state says."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)


def show_state(cards: Sequence[RunCard], chosen: RunCard) -> None:
    """State of the run in use, and of the one that is being trained, if it is another one; it keeps up by itself."""
    live = any(card.state in LIVE for card in cards)
    st.fragment(_state, run_every=EVERY if live else None, key="live_state")(chosen.run_id)


def _state(run_id: str) -> None:
    cards = store().cards()
    chosen, working = next((card for card in cards if card.run_id == run_id), None), at_work(cards)
    if chosen is not None:
        show(state_html(chosen), kind="state")
    if working is not None and working.run_id != run_id:
        show(f'<b class="busy"></b>{as_html(tab_title(cards))}', kind="state")
    runs = html.escape(json.dumps(_told(cards)), quote=True)
    st.html(f'<span class="gpe-live" data-title="{as_html(tab_title(cards))}" data-runs="{runs}"></span>')


def state_html(card: RunCard) -> str:
    """Dot and words for a run's state, with the share done while it is being trained."""
    words = STATE_WORDS.get(card.state, card.state)
    if card.state == "running":
        words = {
            "preparing": "preparing the data",
            "searching": "finding the number of programs",
            "refining": "refining positions",
            "analysing": "computing factors",
        }.get(card.stage or "", words)
        words = f"{words}, {share_of(card):.0%}" if card.stage else "starting"
        words += f", will {card.request} soon" if card.request else ""
    if card.state == "queued" and card.place:
        words = "next in the queue" if card.place == 1 else f"number {card.place} in the queue"
    return f'<b class="{STATE_DOTS.get(card.state, "")}"></b>{as_html(words)}'


def _told(cards: Sequence[RunCard]) -> list[dict[str, str]]:
    """The runs that were under way while this session looked: state, and the words of a call where it deserves one."""
    seen = st.session_state.setdefault(SEEN, set())
    seen |= {card.run_id for card in cards if card.state in LIVE}
    told = []
    for card in cards:
        if card.run_id in seen:
            stalled = card.state == "running" and card.silent_seconds >= NOT_ANSWERING
            state = "stalled" if stalled else card.state
            words = "Not answering" if stalled else ENDS.get(card.state, "")
            told.append({"id": card.run_id, "state": state, "words": words, "name": plain(card.name)})
    return told


def show_under_way(cards: Sequence[RunCard]) -> None:
    """The run that is being trained, in one row with its bar; nothing while there is none."""
    if any(card.state in LIVE for card in cards):
        st.fragment(_under_way, run_every=EVERY, key="live_row")([card.run_id for card in cards if card.state in LIVE])


def _under_way(drawn: list[str]) -> None:
    cards = store().cards()
    live = [card for card in cards if card.state in LIVE]
    if [card.run_id for card in live] != drawn:  # one has ended: its card below has results
        st.rerun()
    card = at_work(cards) or live[-1]
    progress = _progress(card)
    with st.container(border=True, key="under_way", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            left = left_words(progress.seconds_left) if card.state == "running" else ""
            rest = f", {len(live) - 1} more" if len(live) > 1 else ""
            show(f"<strong>{as_html(card.name)}</strong> {state_html(card)}"
                 f"<span>{as_html(', '.join(filter(None, [left])) + rest)}</span>", kind="state")  # fmt: skip
            if st.button("See its training", key="under_way_open", icon=":material/monitoring:"):
                go_next("train.py", card.run_id)
        st.progress(progress.share)


def _progress(card: RunCard) -> TrainingProgress:
    try:
        return store().progress(card.run_id)
    except LdvaeError:  # deleted meanwhile
        return TrainingProgress()
