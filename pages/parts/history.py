"""Back in the browser returns to what was seen: one entry of the history a page left, with its choices."""

import streamlit as st

# On the way to another page Streamlit first writes that page's address behind the old page's name, as an entry of its
# own: Back then stops at the old page without its choices. That entry is replaced by the one it was made for.
_HISTORY = """<script>
if (!window.gpeHistory) {
  window.gpeHistory = true;
  const push = history.pushState.bind(history);
  let interim = null, since = 0;  // the address pushed last that changed nothing but the choices
  history.pushState = (state, title, address) => {
    const next = new URL(address, location.href), samePage = next.pathname === location.pathname;
    const passing = interim === location.href && performance.now() - since < 3000;
    if (!samePage && passing && next.search === location.search) history.replaceState(state, title, address);
    else push(state, title, address);
    interim = samePage ? location.href : null;
    since = performance.now();
  };
}
</script>"""


def mend_history() -> None:
    """Once a page, from the shell."""
    st.html(_HISTORY, unsafe_allow_javascript=True)
