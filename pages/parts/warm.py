"""Work done ahead: while the browser still loads the program, the server opens the demo that the first page shows."""

import logging

log = logging.getLogger(__name__)


def warm_up() -> None:
    """Load the pages' modules and fill the caches of the first picture. Never raises: it only saves time."""
    # The caches want to show a spinner, and complain that outside of a visit there is no page for it.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    try:
        from ldvae_core.workspace.folders import DEMO
        from pages.parts.best_pair import DEMO_TYPES, separation
        from pages.parts.pair import raster_of
        from pages.parts.runs import factors_of, open_run, store

        if any(card.run_id == DEMO for card in store().cards()):
            opened = open_run(DEMO)
            factors = factors_of(opened)
            best, _, _ = separation(
                opened, factors, str(opened.label_column), list(DEMO_TYPES), use="shrunken", n_arrows=9
            )
            raster_of(opened, factors, best.pair)
    except Exception:
        log.warning("nothing was prepared for the first page", exc_info=True)
