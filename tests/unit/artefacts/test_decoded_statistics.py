"""Statistics come back as they were written, and the same ones as the same bytes."""

import numpy as np
import pytest

from sparring.artefacts.decoded_statistics import read_maps, read_statistics, write_statistics
from sparring.errors import UserError

DRAW = np.random.default_rng(0)
COLUMNS = {
    "closed": DRAW.random(70),
    "class_shares": DRAW.random((70, 3)),
    "group": np.array([f"original {n // 2}" for n in range(70)], dtype=object),
    "maps": DRAW.integers(3, size=(70, 8, 8)).astype(np.uint8),
}


def test_numbers_text_and_maps_come_back(tmp_path):
    write_statistics(tmp_path / "s.h5", {"samples": COLUMNS, "held_out": {"group": np.arange(3)}})
    found = read_statistics(tmp_path / "s.h5", "samples")
    assert found.keys() == COLUMNS.keys() - {"maps"}
    assert found["group"].tolist() == COLUMNS["group"].tolist()
    np.testing.assert_allclose(found["class_shares"], COLUMNS["class_shares"], rtol=1e-6)
    maps = read_maps(tmp_path / "s.h5", "samples")
    assert maps.dtype == np.uint8
    np.testing.assert_array_equal(maps, COLUMNS["maps"])
    assert read_statistics(tmp_path / "s.h5", "held_out")["group"].tolist() == [0, 1, 2]


def test_the_same_statistics_are_the_same_bytes_and_maps_are_compressed(tmp_path):
    even = COLUMNS | {"maps": np.ones((70, 64, 64), dtype=np.uint8)}
    for name in ("a.h5", "b.h5"):
        write_statistics(tmp_path / name, {"samples": even})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert (tmp_path / "a.h5").stat().st_size < even["maps"].nbytes / 4


def test_what_was_not_measured_is_refused(tmp_path):
    write_statistics(tmp_path / "s.h5", {"samples": COLUMNS})
    with pytest.raises(UserError, match="expected a dataset 'held_out'"):
        read_statistics(tmp_path / "s.h5", "held_out")
