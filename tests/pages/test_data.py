"""The Data page: what was loaded is said, what cannot be used is refused, and what is chosen reaches training."""

import re

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.workspace.datasets import Datasets

GENES = ["Actb", "Gapdh", "Ttr", "mt-Co1", "Rpl3", *(f"Abc{number}" for number in range(55))]


@pytest.fixture
def data_page(open_page):
    """The Data page as a first visitor sees it."""
    return open_page("data.py")


@pytest.fixture
def embryo():
    """120 cells by 60 genes whose first 30 cells are small, with a label and a batch."""
    counts = np.random.default_rng(0).negative_binomial(2, 0.3, (120, len(GENES))).astype(np.float32)
    counts[:30, 20:] = 0
    obs = pd.DataFrame({"cell_type": np.tile(["Epiblast", "ExE *ectoderm*"], 60), "lane": np.repeat(["a", "b"], 60)},
                       index=[f"cell{number}" for number in range(120)])  # fmt: skip
    return anndata.AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=GENES))


@pytest.fixture
def put(embryo, workspace):
    """Save the embryo's cells into the data folder; returns the file's bytes."""

    def save(name="embryo.h5ad"):
        path = workspace.data_folder / name
        embryo.write_h5ad(path)
        return path.read_bytes()

    return save


@pytest.fixture
def loaded(data_page, put):
    """The page after the embryo was loaded from the data folder."""
    put()
    return load_first_file(data_page)


def load_first_file(data_page):
    data_page.segmented_control(key="data_from").set_value("Data folder").run()
    return data_page.button(key="load_file").click().run()


def words(data_page):
    """Everything written on the data_page, without its tags."""
    texts = [element.proto.body for element in data_page.get("html")] + [element.value for element in data_page.error]
    return re.sub(r"<[^>]+>", "", "\n".join(texts)).replace("\u2060", "").replace("\\", "")


def choice(data_page):
    return data_page.session_state["data_choice"]


def test_the_demo_is_described_and_its_labels_are_marked_as_derived(data_page):
    """Cells, genes, place of the counts, species, origin, licence and the badge are on the first screen."""
    seen = words(data_page)
    assert not data_page.exception
    for fact in ("7,850", "2,000", "Raw counts were found in X", "mouse", "Licence: MIT", "derived labels cell_type"):
        assert fact in seen
    assert data_page.selectbox(key="label_column").value == "cell_type"
    assert data_page.dataframe[0].value["Levels"].tolist() == [20]


def test_all_genes_of_the_demo_are_modelled_unless_fewer_are_asked_for(data_page):
    """They were chosen already, and the page says so."""
    assert "2,000 genes of 2,000 will be modelled, in 7,850 cells" in words(data_page)
    assert "chosen already" in words(data_page)
    assert choice(data_page)["choices"]["gene_selection"] == "variance"


def test_an_empty_data_folder_says_where_to_put_a_file(data_page):
    """No dead ends."""
    data_page.segmented_control(key="data_from").set_value("Data folder").run()
    assert "Nothing there yet: put a file into data in the server's workspace" in words(data_page)


def test_a_file_of_the_data_folder_loads_and_is_selected(loaded):
    """The address names it, its facts are on screen, and defaults are those of new data."""
    source = choice(loaded)["data_source"]
    assert source.startswith("embryo-")
    assert loaded.query_params["data"] == source
    assert "120" in words(loaded)
    assert "human" not in words(loaded)
    assert choice(loaded)["choices"]["gene_selection"] == "seurat_v3"
    assert loaded.segmented_control(key="data_from").value == "Already loaded"


def test_an_address_that_names_a_data_set_shows_it_after_a_reload(loaded, open_page):
    """The session is new, the data set is the workspace's."""
    source = choice(loaded)["data_source"]
    assert choice(open_page("data.py", data=source))["data_source"] == source


def test_an_address_that_names_no_data_set_says_so_and_shows_the_demo(data_page):
    """A link from another server is no crash."""
    data_page.query_params["data"] = "not-here"
    data_page.run()
    assert "named in the address is not on this server" in words(data_page)
    assert choice(data_page)["data_source"] == "demo"


def test_an_upload_becomes_the_data_set_in_use(data_page, put):
    """The same bytes as in the data folder, by another way."""
    data_page.segmented_control(key="data_from").set_value("Upload").run()
    data_page.file_uploader(key="upload").upload("mine.h5ad", put()).run()
    assert choice(data_page)["data_source"].startswith("mine-")
    assert not data_page.exception


def test_log_normalised_counts_are_refused_in_words_and_change_nothing(data_page, embryo, put, workspace):
    """What is wrong and what to do; the demo stays in use, nothing is kept, and a rerun reads nothing again."""
    embryo.X = embryo.X.log1p()
    data_page.segmented_control(key="data_from").set_value("Upload").run()
    data_page.file_uploader(key="upload").upload("logged.h5ad", put()).run()
    assert re.search(r"not whole numbers|fraction", words(data_page))
    assert "raw counts" in data_page.error[0].value
    assert choice(data_page)["data_source"] == "demo"
    assert [card.dataset_id for card in Datasets(workspace).list()] == ["demo"]
    assert list(workspace.uploads.iterdir()) == []


def test_a_refused_upload_is_not_read_again_on_a_rerun(data_page, embryo, put, monkeypatch):
    """Its box stays on screen as long as the file is chosen."""
    embryo.X = -embryo.X
    data_page.segmented_control(key="data_from").set_value("Upload").run()
    data_page.file_uploader(key="upload").upload("negative.h5ad", put()).run()
    monkeypatch.setattr(Datasets, "keep_upload", lambda *_: pytest.fail("read again"))
    data_page.run()
    assert len(data_page.error) == 1
    assert not any(button.key == "use_data" for button in data_page.button)  # of the data set that stays in use
    assert not data_page.exception


def test_repeated_gene_names_are_made_unique_with_a_visible_notice(data_page, embryo, put):
    """Nothing is renamed in silence."""
    embryo.var_names = ["Actb", "Actb", *GENES[2:]]
    put()
    load_first_file(data_page)
    assert "notice 1 of 59 gene names repeat (Actb): made unique" in words(data_page)


def test_a_filter_changes_the_cells_that_survive_at_once(loaded):
    """Live, and carried on to training."""
    assert "All 120 cells pass." in words(loaded)
    loaded.number_input(key="min_genes").set_value(25).run()
    assert "90 of 120 cells pass (75%)." in words(loaded)
    assert choice(loaded)["choices"]["min_genes"] == 25


def test_the_number_of_genes_the_batch_and_the_label_reach_training(loaded):
    """What the Train page takes up follows every change."""
    loaded.number_input(key="n_modelled").set_value(20)
    loaded.selectbox(key="label_column").set_value("lane")
    loaded.radio(key="gene_selection").set_value("variance").run()
    assert choice(loaded)["label_column"] == "lane"
    assert choice(loaded)["choices"]["n_genes"] == 20
    assert "20 genes of 60 will be modelled" in words(loaded)


def test_another_data_set_starts_from_its_own_defaults(loaded):
    """A threshold made for one data set is not laid on the next."""
    loaded.number_input(key="min_genes").set_value(25).run()
    loaded.selectbox(key="data_picker").set_value("demo").run()
    assert choice(loaded)["data_source"] == "demo"
    assert choice(loaded)["choices"]["min_genes"] == 0
    assert loaded.number_input(key="n_modelled").value == 2000


def test_choices_are_still_there_after_a_visit_to_another_page(loaded):
    """Looking elsewhere costs nothing."""
    loaded.number_input(key="min_genes").set_value(25).run()
    loaded.switch_page("train.py").run()
    loaded.switch_page("data.py").run()
    assert loaded.number_input(key="min_genes").value == 25
    assert choice(loaded)["choices"]["min_genes"] == 25


def test_an_unknown_gene_to_keep_is_named_in_a_box_and_training_waits(loaded):
    """The last usable choices stay what training would take."""
    loaded.text_area(key="keep_genes").set_value("Ttr, Nosuch1").run()
    assert "1 of 2 genes to keep are not in the data: Nosuch1" in words(loaded)
    assert loaded.button(key="use_data").disabled
    assert choice(loaded)["choices"]["keep_genes"] == []


def test_the_search_says_whether_a_gene_is_modelled_and_can_keep_it(loaded):
    """Modelled, not modelled, or not in the data."""
    loaded.number_input(key="n_modelled").set_value(5)
    loaded.text_area(key="keep_genes").set_value("Gapdh").run()
    missing = next(name for name in ("Ttr", "Actb", "Abc1", "Abc2", "Abc3", "Abc4") if is_left_out(loaded, name))
    loaded.text_input(key="gene_search").set_value(f"gapdh {missing} Nosuch1").run()
    assert "Gapdh (gapdh) is modelled." in words(loaded)
    assert "Nosuch1 is not in the data" in words(loaded)
    loaded.button(key="keep_searched").click().run()
    assert choice(loaded)["choices"]["keep_genes"] == ["Gapdh", missing]


def is_left_out(data_page, name):
    data_page.text_input(key="gene_search").set_value(name).run()
    return "not modelled" in words(data_page)


def test_names_from_a_file_are_shown_letter_by_letter(data_page, embryo, put):
    """A column or file called like markup is text on the screen, not markup."""
    embryo.obs["<img src=x onerror=alert(1)>"] = "a"
    put("<b>bold.h5ad")
    load_first_file(data_page)
    assert not data_page.exception
    assert not any("<img" in element.proto.body or "<b>bold" in element.proto.body for element in data_page.get("html"))


def test_how_a_file_was_read_is_said_and_its_names_can_be_changed(data_page, embryo, put, workspace):
    """The sentence, the first cells and genes, and another column for the names, without loading the file again."""
    embryo.var["name"] = [f"Gene of {gene}" for gene in GENES]
    put()
    page = load_first_file(data_page)
    first = choice(page)["data_source"]
    assert "120 cells x 60 genes; genes named by index" in words(page)
    shown = page.dataframe[0].value
    assert shown.shape == (10, 10)
    assert (shown.sum() > 0).all()  # genes that these cells show
    assert page.button(key="rename_now").disabled
    (workspace.data_folder / "embryo.h5ad").unlink()  # names are changed without it
    page.selectbox(key=f"genes_named_by {first}").set_value("name").run()
    page.button(key="rename_now").click().run()
    assert choice(page)["data_source"] != first
    assert "genes named by name" in words(page)
    assert page.dataframe[0].value.columns[0].startswith("Gene of")
    assert "load the file again: it is not kept any more" in words(page)


def test_what_only_the_file_tells_is_read_from_it(data_page, embryo, put):
    """Another matrix: the kept file is read again, and the first data set stays."""
    embryo.layers["spliced"] = embryo.X * 2
    put()
    page = load_first_file(data_page)
    first = choice(page)["data_source"]
    page.selectbox(key=f"choose {first}").set_value("layers['spliced']").run()
    page.button(key="read_otherwise").click().run()
    assert choice(page)["data_source"] != first
    assert "counts from layers" in words(page)


def test_fractional_counts_are_rounded_with_a_click(data_page, embryo, put, workspace):
    """The refusal offers what fits; the upload is not asked for again."""
    embryo.X = embryo.X * 0.93
    data_page.segmented_control(key="data_from").set_value("Upload").run()
    data_page.file_uploader(key="upload").upload("soup.h5ad", put()).run()
    assert "ambient RNA" in words(data_page)
    data_page.button(key="offer round_counts True").click().run()
    assert choice(data_page)["data_source"].startswith("soup-")
    assert "were rounded to whole molecules" in words(data_page)


def test_annotations_of_a_table_are_added(loaded, workspace):
    """The joined data set is in use, says what was joined, and the first one is still there."""
    table = b"lane,donor\na,first\nb,second\n"
    at = loaded.get("file_uploader")[0].upload("donors.csv", table, "text/csv").run()
    at.run()
    assert not at.exception
    assert "names the annotation lane; 120 of 120 cells have a row" in words(at)
    columns = next(table.value["Column"] for table in at.dataframe if "Column" in table.value)
    assert columns.tolist() == ["cell_type", "lane", "donor"]
    assert [card.name for card in Datasets(workspace).list()][1:] == ["embryo.h5ad", "embryo.h5ad with donors"]


def test_a_table_that_does_not_fit_is_refused(loaded, workspace):
    """In words, with nothing changed."""
    at = loaded.get("file_uploader")[0].upload("donors.csv", b"x,donor\nnobody,first\n", "text/csv").run()
    assert not at.exception
    assert "names these cells or samples" in words(at)
    assert len(Datasets(workspace).list()) == 2


def test_data_sets_are_combined_by_sample(loaded, workspace, embryo):
    """Each under its name; the new data set is in use."""
    embryo.X[0, 0] = 7
    embryo.write_h5ad(workspace.data_folder / "embryo.h5ad")
    at = load_first_file(loaded)
    ids = [card.dataset_id for card in Datasets(workspace).list()][1:]
    assert at.button(key="combine_now").disabled
    at.multiselect(key="combine_sets").set_value(ids).run()
    for key, name in zip(ids, ("day 7", "day 8"), strict=True):
        at.text_input(key=f"combine_name_{key}").set_value(name)
    at.run()
    at.button(key="combine_now").click().run()
    assert not at.exception
    assert "Combined from day 7 (120 cells), day 8 (120 cells)" in words(at)
    assert "day 7 + day 8" in [card.name for card in Datasets(workspace).list()]


def test_columns_of_a_table_are_reassigned(data_page, workspace):
    """Which ones hold no counts, and which one names the cells."""
    rng = np.random.default_rng(0)
    genes = pd.DataFrame(rng.poisson(3, (60, 30)), columns=[f"Abc{n}" for n in range(30)])
    wells = pd.DataFrame({"number": range(100, 160), "well": [f"well {n}" for n in range(60)], "Dose": [1, 2] * 30})
    pd.concat([wells, genes], axis=1).to_csv(workspace.data_folder / "cells.csv", index=False)
    page = load_first_file(data_page)
    first = choice(page)["data_source"]
    assert page.multiselect(key=f"apart {first}").value == ["well"]
    assert page.button(key="read_otherwise").disabled
    page.multiselect(key=f"apart {first}").set_value(["well", "Dose"]).run()
    page.button(key="read_otherwise").click().run()
    second = choice(page)["data_source"]
    assert Datasets(workspace).open(second).annotations.columns.tolist() == ["well", "Dose"]
    assert page.button(key="read_otherwise").disabled
    page.selectbox(key=f"cells_named_by {second}").set_value(1).run()
    page.button(key="rename_now").click().run()
    third = Datasets(workspace).open(choice(page)["data_source"])
    assert third.cell_ids[0] == "well 0"
    assert third.annotations.columns.tolist() == ["number", "Dose"]
    assert "cells by well" in words(page)
