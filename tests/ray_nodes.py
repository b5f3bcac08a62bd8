"""A cluster of Ray on this machine, each node with one CPU, for tests: `python -m tests.ray_nodes`.

Prints its address; takes lines `add` and `kill` (of the node added last), and answers each with the
number of nodes; ends with its input.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile

FOLDER = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a short path, for sockets
os.environ |= {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TMPDIR": FOLDER,  # for the file with the address, too
}

from ray.cluster_utils import Cluster  # reads these

from pipeline.core.preload import die_with_parent


def main() -> None:
    die_with_parent()
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
    node = {
        "temp_dir": f"{FOLDER}/ray",
        "num_cpus": 1,
        "include_dashboard": False,
        "object_store_memory": 150 * 2**20,
    }
    cluster = Cluster(initialize_head=True, head_node_args=node)
    print(cluster.address, flush=True)
    nodes = []
    for line in sys.stdin:
        if line == "add\n":
            nodes.append(cluster.add_node(num_cpus=1, object_store_memory=150 * 2**20))
        else:
            for started in nodes.pop().all_processes["raylet"]:
                os.kill(started.process.pid, signal.SIGKILL)
        print(1 + len(nodes), flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
