"""A small LSF cluster."""

import pytest
from lsf.cluster import Cluster

NODE = {"slots": 4, "memory": 1000, "gpus": 2}


@pytest.fixture
def cluster(tmp_path):
    """Two nodes, and minutes of half a second."""
    cluster = Cluster.create(
        tmp_path / "cluster",
        hosts={"node1": NODE, "node2": NODE},
        seconds_per_minute=0.5,
        grace_minutes=1,
        terminate_interval=0.2,
        groups=["lab"],
        closed_projects=["closed"],
    )
    yield cluster
    cluster.stop()
