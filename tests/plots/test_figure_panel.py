"""Several figures as one: each in its place, on axes of its own, with a letter."""

import plotly.graph_objects as go
import pytest

from ldvae_core.plots.figure_panel import Place, join_figures


@pytest.fixture(name="part")
def _part():
    """A figure with everything that can go with it: equal axes, a remark, a line, a scale."""
    figure = go.Figure(go.Heatmap(z=[[1, 2]], colorbar={"len": 100}), {"margin": {"l": 50, "r": 10, "t": 20, "b": 30}})
    figure.update_yaxes(scaleanchor="x").update_xaxes(title="Factor 1")
    figure.add_annotation(text="here", x=0.5, y=1.0, xref="paper", yref="y domain")
    figure.add_shape(type="line", x0=0, x1=1, y0=3, y1=3, xref="x domain", yref="y")
    return figure


def test_every_part_stands_in_its_own_place(part):
    """Within its margins, in shares of the whole."""
    joined = join_figures([Place(part, 0, 0, 500, 400), Place(part, 500, 100, 500, 300)], width=1000, height=400)
    assert tuple(joined.layout.xaxis.domain) == pytest.approx((0.05, 0.49))
    assert tuple(joined.layout.yaxis.domain) == pytest.approx((0.075, 0.95))
    assert tuple(joined.layout.xaxis2.domain) == pytest.approx((0.55, 0.99))
    assert tuple(joined.layout.yaxis2.domain) == pytest.approx((0.075, 0.70))
    assert (joined.layout.width, joined.layout.height) == (1000, 400)


def test_everything_goes_with_its_part(part):
    """Traces, equal axes, remarks, lines and the scale refer to the second pair of axes."""
    joined = join_figures([Place(part, 0, 0, 500, 400), Place(part, 500, 0, 500, 400)], width=1000, height=400)
    second = joined.data[1]
    assert (second.xaxis, second.yaxis) == ("x2", "y2")
    assert joined.layout.yaxis2.scaleanchor == "x2"
    assert joined.layout.xaxis2.title.text == "Factor 1"
    assert joined.layout.shapes[1].xref == "x2 domain"
    assert joined.layout.shapes[1].yref == "y2"
    remark = [note for note in joined.layout.annotations if note.text == "here"][1]
    assert (remark.xref, remark.yref) == ("paper", "y2 domain")
    assert remark.x == pytest.approx(0.55 + 0.5 * 0.44)
    assert second.colorbar.x == pytest.approx(0.994)


def test_parts_have_letters(part):
    """a, b, ... at their upper left corners."""
    joined = join_figures([Place(part, 0, 0, 500, 400), Place(part, 500, 0, 500, 400)], width=1000, height=400)
    letters = {note.text: note.x for note in joined.layout.annotations if note.text.startswith("<b>")}
    assert letters == {"<b>a</b>": 0.0, "<b>b</b>": 0.5}


def test_the_parts_stay_as_they_were(part):
    """They may be shown elsewhere, too."""
    before = part.to_plotly_json()
    join_figures([Place(part, 0, 0, 500, 400)] * 2, width=1000, height=400)
    assert part.to_plotly_json() == before
