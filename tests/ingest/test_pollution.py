import runpy

from tests.conftest import ROOT


def test_no_damaged_file_is_read_wrongly_and_clean_ones_are_read() -> None:
    found = runpy.run_path(str(ROOT / "benchmarks/pollution.py"))["counts"](1)
    ours = found["ours"]
    assert ours["wrong"] == 0
    assert ours["right"] > 20
    assert all(ours[f"right: {kind}"] == 2 for kind in ("line ends CR", "a byte order mark"))
    assert all(found[peer]["wrong"] > 40 for peer in ("pandas", "pyarrow"))
