"""Files that MultiQC reads. The shape is that of its documentation, "Custom content"."""

import json

from strandline.reporting.multiqc import cohort_plots, general_statistics
from tests.unit.made_up_quality import MEASURED, measured, summary


def test_a_sample_has_a_line_in_the_general_statistics():
    content = json.loads(general_statistics(MEASURED, "HG002", summary()))
    assert content["plot_type"] == "generalstats"
    assert content["data"] == {
        "HG002": {
            "reads": 2000,
            "mapped": 99.0,
            "proper_pairs": 95.0,
            "duplicates": 5.0,
            "q30": 90.0,
            "gc": 41.0,
            "insert": 350.0,
            "mean_depth": 30.0,
            "at_20": 90.0,
            "fold_80": 1.25,
            "contamination": 1.23,
            "x_ratio": 0.5,
            "variants": 10,
            "ts_tv": 3.0,
        }
    }
    headers = [key for entry in content["pconfig"] for key in entry]
    assert headers == list(content["data"]["HG002"])


def test_what_was_not_measured_is_left_out():
    bare = measured(contamination=None, inserts=MEASURED.inserts.model_copy(update={"median": None}))
    (cells,) = json.loads(general_statistics(bare, "HG002", None))["data"].values()
    assert not {"contamination", "insert", "variants"} & set(cells)


def test_a_cohort_has_plots_with_a_line_a_sample():
    plots = {name: json.loads(text) for name, text in cohort_plots({"a": MEASURED, "b": MEASURED}).items()}
    assert all(name.endswith("_mqc.json") for name in plots)
    depth = plots["strandline_depth_mqc.json"]
    assert depth["plot_type"] == "linegraph"
    assert (depth["data"]["a"]["0"], depth["data"]["b"]["30"]) == (100, 90)
    assert set(plots["strandline_base_quality_mqc.json"]["data"]) == {
        "a, mate 1", "a, mate 2", "b, mate 1", "b, mate 2",
    }  # fmt: skip
    assert plots["strandline_insert_size_mqc.json"]["data"]["a"] == {"350": 900}
