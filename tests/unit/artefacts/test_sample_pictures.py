"""Pictures come back as they were written."""

import made_results
import numpy as np
import pytest

from sparring.artefacts.sample_pictures import HELD_OUT, read_pictures, write_pictures
from sparring.errors import UserError

MODELS = ["start", "adversarial/iteration_0"]


def test_what_is_written_is_read(tmp_path):
    made_results.pictures(tmp_path / "a.h5", MODELS)
    first = read_pictures(tmp_path / "a.h5")
    assert first.names == (HELD_OUT, *MODELS)
    write_pictures(tmp_path / "b.h5", first)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    second = read_pictures(tmp_path / "b.h5")
    for name, value in vars(first).items():
        assert np.array_equal(value, getattr(second, name)), name


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.h5: missing"):
        read_pictures(tmp_path / "a.h5")
