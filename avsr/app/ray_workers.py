"""Workers that are actors on the nodes of a Ray cluster; `avsr.ray_cluster` connects to it first."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass, replace

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorDiedError, RayError

from avsr import __version__
from avsr.app.ray_jobs import RayJobs, open_desk
from avsr.app.settings import LOOPBACK, Settings
from avsr.app.workers import CRASH, KILLED, Death, resident
from avsr.decoding.default_model import find_model
from avsr.errors import AvsrError
from avsr.files import digest, replace_file
from avsr.ray_cluster import disconnect
from avsr.ray_nodes import Barred, Unfit, check_mark, check_version, last_line, living_nodes, unfit

_MARK = "mark"  # a file by which a node knows that its --data is the server's


@dataclass(frozen=True)
class Needs:
    """What a node has to have: the server's mark in the data folder, its model (a hash of the file), its version."""

    mark: str
    model: str
    version: str


class RayWorker:
    """The actor: `Worker` on some node.

    Args:
        settings: the server's, without its token.
        name: under which it claims.
        desk: see `avsr.app.ray_jobs`.
        needs: of the server's videos.
    """

    def __init__(self, settings: Settings, name: str, desk: ActorHandle, needs: Needs) -> None:
        os.umask(0o077)  # what people upload is nobody else's on this machine either
        self._settings, self._name, self._desk, self._needs = settings, name, desk, needs
        self._node = ray.get_runtime_context().get_node_id()

    def run(self) -> None:
        """For ever.

        Raises:
            Unfit: this node cannot work on the server's videos; what was claimed waits to be given back.
        """
        from avsr.app.worker import Worker

        self._check_data()
        self._check_code()
        jobs = RayJobs(self._desk)
        Worker(self._settings, self._name, jobs, jobs, self._check_data).run()

    def resident(self) -> tuple[str, int]:
        """The node, and bytes of memory."""
        return self._node, resident("self")

    def _check_data(self) -> None:
        check_mark(self._settings.data / _MARK, self._needs.mark, "the server's")

    def _check_code(self) -> None:
        check_version(self._needs.version)
        try:
            model = self._settings.model or find_model()
            same = digest(model) == self._needs.model
        except (AvsrError, OSError) as error:
            raise unfit(f"the model cannot be read there ({error}); put it where the server has it.") from error
        if not same:
            raise unfit(f"the model {model} is another than the server's; put the server's there.")


@dataclass
class _Hand:
    """A started actor. `barred`: it must not be on a node that was unfit, until then."""

    actor: ActorHandle
    running: ray.ObjectRef
    barred: float | None
    asked: ray.ObjectRef | None = None
    node: str | None = None
    bytes: int = 0


class RayWorkers:
    """`Workers` that are actors, each for one CPU of whatever node has it free; those that find none wait for one.

    They end with this process, and with their node; none is started again by Ray itself.
    """

    far = True

    def __init__(self, settings: Settings) -> None:
        data = settings.data.absolute()
        model = settings.model and settings.model.absolute()
        self._needs = Needs(secrets.token_hex(16), digest(model or find_model()), __version__)
        replace_file(data / _MARK, self._needs.mark.encode())
        # Workers listen nowhere, and the token is none of their business.
        self._settings = replace(settings, host=LOOPBACK[0], token=None, data=data, model=model)
        self._desk = open_desk(self._settings.database)
        self._hands: dict[str, _Hand] = {}
        self._barred = Barred()

    def names(self) -> list[str]:
        return list(self._hands)

    def start(self, name: str) -> None:
        barred = self._barred.options()
        # The second thread is for `resident`.
        options = ray.remote(RayWorker).options(num_cpus=1, max_restarts=0, max_concurrency=2, enable_task_events=False, **barred)
        actor = options.remote(self._settings, name, self._desk, self._needs)
        self._hands[name] = _Hand(actor, actor.run.remote(), self._barred.first())

    def bury(self) -> dict[str, Death]:
        ended = _ready([hand.running for hand in self._hands.values()])
        deaths = {name: self._death(hand) for name, hand in self._hands.items() if hand.running in ended}
        now = time.monotonic()
        for name, hand in self._hands.items():  # those that wait for another node than one that may be fit by now
            if name not in deaths and hand.node is None and hand.barred is not None and now > hand.barred:
                deaths[name] = Death(0.0)
        for name in deaths:
            self.kill(name)  # one that cannot be reached may yet live
        return deaths

    def resident(self, name: str) -> int:
        hand = self._hands[name]
        if hand.asked is not None and _ready([hand.asked]):
            try:
                hand.node, hand.bytes = ray.get(hand.asked)
            except RayError:
                pass  # it has ended, as `bury` will find
            hand.asked = None
        if hand.asked is None:
            hand.asked = hand.actor.resident.remote()
        return hand.bytes

    def kill(self, name: str) -> None:
        ray.kill(self._hands.pop(name).actor)

    def close(self) -> None:
        for name in self.names():
            self.kill(name)
        disconnect(self._settings.ray_address, self._settings.data)

    def _death(self, hand: _Hand) -> Death:
        try:
            ray.get(hand.running)
        except Unfit as error:
            self._barred.add(error.node)
            return Death(0.0, error.why)
        except ActorDiedError as error:
            if error.actor_init_failed:
                return Death(0.0, f"a node cannot start workers ({last_line(error)}); install avsr there as here.")
            # A process that ends by itself is the video's fault, as far as one can see; a node is not.
            return Death(CRASH if hand.node in living_nodes() else KILLED)
        except RayError as error:
            return Death(KILLED if isinstance(error, ray.exceptions.ActorUnavailableError) else CRASH)
        return Death(CRASH)


def _ready(asked: list[ray.ObjectRef]) -> list[ray.ObjectRef]:
    return ray.wait(asked, num_returns=len(asked), timeout=0)[0] if asked else []
