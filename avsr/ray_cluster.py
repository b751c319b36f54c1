"""A Ray cluster: joined, or started for one command alone. Ray is imported here and nowhere earlier."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import threading
from pathlib import Path

from avsr.errors import AvsrError

CLUSTER_TOKEN = "RAY_AUTH_TOKEN"  # Ray's own

_NAMESPACE = "avsr"
_OBJECTS = 80 << 20  # bytes of shared memory for what is passed between nodes: words alone are, and Ray takes no less

_HEAD = 10  # seconds in which the cluster's head has to answer


def check_address(backend: str, address: str | None) -> None:
    """AvsrError where there is an address and no use for it."""
    if address is not None and backend != "ray":
        raise AvsrError("--ray-address: only --backend ray works with a cluster; give that too.")


def connect(address: str | None, cpus: int, home: Path) -> None:
    """Join the cluster at `address` ("auto": the one that runs here), or start one of this machine alone, which ends with this process.

    Args:
        cpus, home: of the latter: so many work at once, and its sockets are in a folder that is `home`'s alone.

    That one is reached from this machine alone (Ray's ports are open to all others as a rule), by who has a token made here.

    Raises:
        AvsrError: Ray is not installed, or there is no such cluster.
    """
    if importlib.util.find_spec("ray") is None:
        raise AvsrError("--backend ray: Ray is not installed; run tools/install.sh, or pip install 'avsr[ray]'.")
    if "://" in (address or ""):
        raise AvsrError(
            f"--ray-address {address}: this machine has to be a node of the cluster; run ray start --address HOST:PORT on it, "
            "and give --ray-address HOST:PORT."
        )
    if address not in (None, "auto"):
        _try_address(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Not the quarter of an hour for which Ray tries to reach a head that is not there.
    os.environ |= {"RAY_gcs_server_request_timeout_seconds": str(_HEAD), "RAY_NUM_REDIS_GET_RETRIES": "1"}
    own = address is None
    if own:
        # By which Ray takes 127.0.0.1 for this machine's address, and listens nowhere else: --node-ip-address would not do it.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ |= {"RAY_AUTH_MODE": "token", CLUSTER_TOKEN: secrets.token_hex(32)}
        os.environ["RAY_worker_niceness"] = "0"  # Ray's workers give way to whatever else runs, unlike our processes
    import ray

    started = {
        "num_cpus": cpus, "num_gpus": 0, "include_dashboard": False, "object_store_memory": _OBJECTS,
        "_temp_dir": str(_own_folder(home)),
    } if own else {}  # fmt: skip
    answers = signal.getsignal(signal.SIGTERM)
    try:
        ray.init("local" if own else address, namespace=_NAMESPACE, log_to_driver=False, configure_logging=False, **started)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        if own:
            raise AvsrError(f"--backend ray: Ray could not be started on this machine ({reason}).") from error
        raise _no_cluster(address, reason) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, answers)  # which is the command's to answer


def disconnect(address: str | None, home: Path) -> None:
    """Leave the cluster, or end it where it is the command's own; all that was started there from here ends."""
    import ray

    ray.shutdown()
    if address is None:
        shutil.rmtree(_own_path(home), ignore_errors=True)


def _try_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_HEAD).close()
    except (ValueError, OverflowError):
        raise AvsrError(f"--ray-address {address}: give HOST:PORT, as ray start --head prints it, or auto.") from None
    except OSError as error:
        raise _no_cluster(address, error.strerror or "no answer") from None


def _no_cluster(address: str, reason: str) -> AvsrError:
    return AvsrError(
        f"--ray-address {address}: no cluster answers there that this machine is a node of ({reason}); run ray start --address HOST:PORT on it "
        "first, and give the cluster's token in RAY_AUTH_TOKEN, if it has one."
    )


def _own_path(home: Path) -> Path:
    # Not below it: sockets are in there, whose paths may have 107 letters. One for each home, so that the next command finds it.
    name = hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:10]
    return Path("/tmp", f"avsr-ray-{os.getuid()}-{name}")


def _own_folder(home: Path) -> Path:
    """Where a cluster of this machine alone keeps its sockets and logs, for nobody else to read; empty."""
    path = _own_path(home)
    if path.is_symlink() or (path.exists() and path.stat().st_uid != os.getuid()):
        raise AvsrError(f"{path}: is somebody else's, and Ray's files were to be there; delete it.")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return path
