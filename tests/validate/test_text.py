"""The report for people: all that the JSON has, in lines that fit together."""

from pipeline.core.artifacts.validated import Validated
from pipeline.validate.text import as_text


def test_the_report_says_it_all() -> None:
    report = Validated(
        dataset="small",
        data_md5="0" * 32,
        rows=8,
        repeated_rows=1,
        warnings=["data/raw/small.csv: 1 row repeats"],
        classes={"0": 6, "1": 2},
        checks={"width": ["float64", "finite"], "备\n注": ["str"]},
        columns={
            "width": {"missing": 0, "min": -1.5, "max": 1234567.0, "mean": 0.25, "sd": 3.0},
            "备\n注": {"empty": 1234567},
        },
    )
    assert (
        as_text(report, "data/schema/small.yaml")
        == """Validation of small

8 rows, of which 1 repeat an earlier one
0 errors: every value is as data/schema/small.yaml expects
1 warning:
  data/raw/small.csv: 1 row repeats

rows by class: 0: 6 (75.0%), 1: 2 (25.0%)

column  missing    empty   min          max  mean  sd  checked
width         0           -1.5  1.23457e+06  0.25   3  float64, finite
备 注            1234567                               str
"""
    )
