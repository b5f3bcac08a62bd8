import pytest

from tests.faults.csv_files import House, Run


@pytest.fixture
def house(run: Run) -> House:
    return House(run)
