"""Compare: which model, how many factors, can I trust it?"""

import streamlit as st

from ldvae_core.runs.table import method_of
from pages.parts.compare.answers import show_answers
from pages.parts.compare.curves import show_held_out, show_test_metric
from pages.parts.compare.factors import show_covariance, show_matching
from pages.parts.compare.runs import (
    choose_runs,
    drawn_together,
    kin_of,
    matchable,
    offer_training,
    say_left_out,
    watch,
)
from pages.parts.header import page_header
from pages.parts.problems import refusals
from pages.parts.runs import store
from pages.parts.structure import say_no_structure

page_header("Compare", "Which model, how many factors, can I trust it?")
cards = store().cards()
if not any(card.has_results for card in cards):
    offer_training(cards)
    st.stop()
chosen = choose_runs(cards)
drawn, reasons = drawn_together(chosen)
if not drawn:
    say_left_out(chosen, reasons)
    st.info("Tick one or more runs in the table to compare them.", icon=":material/touch_app:")
    st.stop()
same_genes = matchable(drawn, chosen)
with refusals(end_page=False):
    show_answers(drawn, same_genes)
say_left_out(chosen, reasons)
say_no_structure({card.name: card.metrics for card in drawn if method_of(card) != "gene_mean"})
if len(drawn) < 2:
    offer_training(cards, alone=drawn[0])

st.subheader("Held-out cells", anchor=False)
with st.container(key="split_held_out"):
    left, right = st.columns([0.58, 0.42], gap="medium")
with left, refusals(end_page=False):
    show_held_out(drawn)
with right, refusals(end_page=False):
    show_test_metric(drawn)

st.subheader("The same programs?", anchor=False)
with refusals(end_page=False):
    show_matching(same_genes, kin_of(same_genes, chosen))

st.subheader("Correlation of the factors", anchor=False)
with refusals(end_page=False):
    show_covariance([*drawn, *(card for card in chosen if card not in drawn)])
watch(cards)
