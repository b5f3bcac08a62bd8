"""Rows 32 to 40 of docs/reliability.md: what a number may look like."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.faults.csv_files import GOOD, House

HEADER = "area_m2,price_wan\n"


def with_cell(cell: str) -> str:
    return HEADER + f"50,100\n80,{cell}\n"


def test_fault_32_text_in_a_number_column(house: House) -> None:
    house.refused(with_cell("cheap"), "line 3, column price_wan: 'cheap', expected a finite number")


@pytest.mark.parametrize("cell", ["?", "NA", "None", ""])
def test_fault_33_missing_values(house: House, cell: str) -> None:
    gaps = "a finite number; declare missing: .* gaps need nullable: true in the schema"
    house.refused(
        with_cell(cell), f"line 3, column price_wan: {cell!r}, expected {gaps}".replace("?", ".")
    )
    house.declare(missing=[cell])
    gaps = "not_nullable; gaps need nullable: true in the schema"
    house.refused(with_cell(cell), f"line 3, column price_wan: no value, expected {gaps}")
    schema = Path("data/schema/house.yaml")
    schema.write_text(schema.read_text().replace("float64", "float64\n    nullable: true"))
    assert house.read()[0] == 0
    code, said = house.run("split house")
    assert (code, "1 training row; a line needs 2" in said) == (2, True)  # the gap is left out
    house.declare()
    house.refused("\n".join(with_cell(cell).splitlines()), "line 3, column price_wan")


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-Infinity"])
def test_fault_34_nan_and_inf(house: House, cell: str) -> None:
    house.refused(with_cell(cell), f"line 3, column price_wan: '{cell}', expected a finite number")


def test_fault_35_1e400(house: House) -> None:
    house.refused(with_cell("1e400"), "line 3, column price_wan: '1e400', expected a finite number")


def test_fault_36_integer_beyond_64_bits(house: House) -> None:
    schema = Path("data/schema/house.yaml")
    schema.write_text(schema.read_text().replace("float64", "int64", 1))
    house.refused(HEADER + "9223372036854775808,100\n", "line 2, column area_m2", "an integer")
    house.refused(HEADER + "50,100\n99999999999999999999,1\n", "line 3, column area_m2")


@pytest.mark.parametrize("cell", ["1_000", "0x10", "١٢", "5%", "$5", '"1,234"', "1 000"])
def test_fault_37_not_a_number(house: House, cell: str) -> None:
    house.refused(with_cell(cell), "line 3, column price_wan: .*expected a finite number")


def test_fault_38_decimal_comma(house: House) -> None:
    text = GOOD.replace(",", ";").replace(".", ",")
    house.declare(delimiter=";")
    house.refused(text, "line 4, column price_wan: '210,5', expected a finite number")
    house.declare(delimiter=";", decimal=",")
    house.accepted(text)
    house.refused(text.replace("210,5", "210.5"), "line 4, column price_wan: '210.5', expected")


def test_fault_40_identifiers_with_leading_zeros(house: House) -> None:
    house.write("id,price_wan\n007,1\n010,2\n")
    assert house.run("ingest house") == (0, "")
    table = pq.read_table("data/1_ingested/house.parquet")
    assert table["id"].to_pylist() == ["007", "010"]
