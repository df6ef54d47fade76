"""Jobs on a Ray cluster, or on Ray's own start on this machine: actors that are replaced where they are lost."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from djgraph.errors import DJGraphError
from djgraph.jobs.task import TRIES, Maker, Queue
from djgraph.signals import held
from djgraph.version import __version__

EMBEDDED = "local"
"""The address of a cluster of this machine alone, which begins and ends with the work."""
AUTO = "auto"
"""The address of the cluster that this machine belongs to."""
_PATIENCE = 0.2  # seconds until Ctrl-C is looked for
_LOOK = 5.0  # seconds until machines that have joined are looked for
_WAITS = 4  # such looks without a worker until that is said
_REACH = 5.0  # seconds for an address to answer
_NO_CLUSTER = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_HOW_TO_SIGN_IN = (
    "\n  one that asks for a token, as where ~/.ray/auth_token is: set RAY_AUTH_MODE=token, here as there"
)
_STORE = 128 << 20  # bytes of Ray's object store: results are small


class Ray:
    """Workers of a Ray cluster, each on one core and one thread.

    address: ``local`` starts Ray on this machine, reachable from it alone, without its dashboard and statistics;
    ``HOST:PORT`` of a cluster's head, or ``auto``, goes to one that is there, from one of its machines. Where Ray has
    been started in this process already, that is taken. workers: at most so many; left out, as many as the cluster has
    cores, machines that join later included. memory: bytes that each worker needs, so that Ray puts no more of them on
    a machine than have room. told: is told in words how many work and who was lost.
    """

    shares_memory = False

    def __init__(
        self,
        address: str = EMBEDDED,
        workers: int | None = None,
        memory: int | None = None,
        told: Callable[[str], object] | None = None,
    ) -> None:
        self.address = address
        self.workers = workers
        self.memory = memory
        self.told = told or (lambda words: None)

    @property
    def shares_disk(self) -> bool:
        """Whether all is done on this machine: what has been started in this process already may be any cluster."""
        ray = sys.modules.get("ray")
        return self.address == EMBEDDED and not (ray is not None and ray.is_initialized())

    def check(self) -> None:
        """DJGraphError where Ray is not installed, the address is none, or nobody answers there."""
        if not _ray(self.address).is_initialized() and self.address not in (EMBEDDED, AUTO):
            _reach(self.address)

    def run(self, make: Maker, arguments: tuple[Any, ...], numbers: Iterable[int]) -> Generator[Any]:
        """See :func:`djgraph.jobs.run_jobs`. DJGraphError where Ray is not installed or no cluster is reached."""
        queue = Queue(numbers)
        first = queue.next()
        if first is None:
            return
        queue.put_back(first)
        ray = _ray(self.address)
        with held() as interrupted, _connected(ray, self.address, self.workers):
            crew = _Crew(ray, self, make, arguments, queue)
            try:
                while not crew.idle:
                    yield from crew.results()
                    interrupted()
            finally:
                crew.end()


class _Worker:
    """An actor: one process on one of the machines."""

    def begin(self, make: Maker, arguments: tuple[Any, ...], version: str) -> tuple[str, Exception | None]:
        """The machine's name, and what is wrong with it."""
        import torch

        sys.stdout = sys.stderr
        torch.set_num_threads(1)
        host = socket.gethostname()
        if version != __version__:
            return host, DJGraphError(
                f"the machine {host} has djgraph {__version__}, this one {version}; install the same on all"
            )
        try:
            self._job = make(*arguments)
        except DJGraphError as problem:
            return host, problem
        return host, None

    def do(self, number: int) -> tuple[Any, Exception | None]:
        """A job's result, or what it raised on purpose: what Ray makes of exceptions has a traceback for a message."""
        try:
            return self._job(number), None
        except DJGraphError as problem:
            return None, problem


class _Crew:
    """The actors, what each has in hand, and who takes whose place."""

    def __init__(self, ray: Any, asked: Ray, make: Maker, arguments: tuple[Any, ...], queue: Queue) -> None:
        self.ray, self.asked, self.queue = ray, asked, queue
        self.order = (ray.put(make), ray.put(arguments), __version__)
        self.actor = ray.remote(num_cpus=1, memory=asked.memory, max_restarts=0)(_Worker)
        self.starting: dict[Any, Any] = {}
        """What ``begin`` returns → the actor; one that Ray has no room for stays here and is handed no jobs."""
        self.hands: dict[Any, tuple[Any, int]] = {}
        self.hosts: dict[Any, str] = {}
        self.spare: list[Any] = []
        self.failed = 0
        self.looked = -_LOOK
        self.waits = 0
        self.more = True

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do."""
        return not self.more and not self.hands

    def results(self) -> Iterator[Any]:
        """What has been done meanwhile."""
        if time.monotonic() - self.looked > _LOOK:
            self._grow()
        waiting = [*self.starting, *self.hands]
        done, _ = self.ray.wait(waiting, num_returns=1, timeout=_PATIENCE)
        for ref in done:
            if ref in self.starting:
                self._begun(ref)
            else:
                yield from self._done(ref)

    def end(self) -> None:
        """Let the jobs in hand end, and the actors go."""
        for ref in self.starting:
            self.ray.cancel(ref)
        if self.hands:
            self.ray.wait([*self.hands], num_returns=len(self.hands), timeout=None)
        for actor in [*self.starting.values(), *self.hosts]:
            self.ray.kill(actor)

    def _grow(self) -> None:
        """As many actors as the cluster has cores by now."""
        self.looked = time.monotonic()
        there = int(self.ray.cluster_resources().get("CPU", 0))
        wanted = min(self.asked.workers or there, max(there, 1))
        for _ in range(wanted - len(self.hosts) - len(self.starting)):
            self._start()
        self.waits = 0 if self.hosts else self.waits + 1
        if self.waits == _WAITS:
            free = self.ray.available_resources()
            self.asked.told(
                f"waiting for room: of the cluster's {there} cores {free.get('CPU', 0):g} are free, with"
                f" {free.get('memory', 0) / 2**30:.1f} GiB of memory"
            )

    def _start(self) -> None:
        actor = self.actor.remote()
        self.starting[actor.begin.remote(*self.order)] = actor

    def _begun(self, ref: Any) -> None:
        actor = self.starting.pop(ref)
        try:
            host, problem = self.ray.get(ref)
        except self.ray.exceptions.RayTaskError as problem:
            raise DJGraphError(
                f"a worker cannot begin: {str(problem).strip().splitlines()[-1].strip()}\n"
                "  djgraph, with the plugins that are used, has to be installed on every machine of the cluster"
            ) from problem
        except self.ray.exceptions.RayError as lost:
            self.failed += 1
            if self.failed >= TRIES:
                raise DJGraphError(f"workers end before they have begun: {_first_line(lost)}") from None
            self._start()
            return
        if problem is not None:
            raise problem
        self.hosts[actor] = host
        machines = len(set(self.hosts.values()))
        self.asked.told(
            f"{len(self.hosts)} worker{'s' * (len(self.hosts) != 1)}"
            f" on {machines} machine{'s' * (machines != 1)}"
        )
        self._hand(actor)

    def _hand(self, actor: Any) -> None:
        number = self.queue.next()
        if number is None:
            self.more = False
            self.spare.append(actor)
        else:
            self.hands[actor.do.remote(number)] = (actor, number)

    def _done(self, ref: Any) -> Iterator[Any]:
        actor, number = self.hands.pop(ref)
        try:
            result, problem = self.ray.get(ref)
        except self.ray.exceptions.RayTaskError:
            raise  # a bug in a job, with its traceback
        except self.ray.exceptions.RayError as lost:
            host = self.hosts.pop(actor)
            with contextlib.suppress(self.ray.exceptions.RayError):  # alive, perhaps, behind a broken network
                self.ray.kill(actor)
            self.queue.lost([number], f"on {host}: {_first_line(lost)}")
            self.more = True
            self.asked.told(f"a worker on {host} was lost; job {number} goes to another")
            if self.spare:
                self._hand(self.spare.pop())
            self._start()
            return
        if problem is not None:
            raise problem
        self.failed = 0
        self._hand(actor)
        yield result


def _ray(address: str) -> Any:
    """Ray's module, imported so that it says and sends nothing."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError as problem:
        if problem.name != "ray":
            raise
        raise DJGraphError(
            'working on several machines needs Ray, which is not installed: pip install "djgraph[scale]"'
        ) from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str, workers: int | None) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address == EMBEDDED:
        options |= {
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "object_store_memory": _STORE,
        }
        if workers is not None:
            options["num_cpus"] = workers
    elif address != AUTO:
        _reach(address)
    try:
        with _own_signals(), _on_loopback(address == EMBEDDED):
            ray.init(address=address, **options)
    except (ConnectionError, ValueError, RuntimeError, OSError, TimeoutError) as problem:
        where = "on this machine" if address == EMBEDDED else f"at {address}"
        raise DJGraphError(
            f"there is no Ray cluster {where} to work on: {_first_line(problem)}\n"
            "  start one: ray start --head, and on the other machines ray start --address HEAD:6379; or leave the"
            " address out to use this machine alone"
            + (_HOW_TO_SIGN_IN if address != EMBEDDED and "RAY_AUTH_MODE" not in os.environ else "")
        ) from problem
    try:
        with _quiet():
            yield
    finally:
        with _own_signals():
            ray.shutdown()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within, Ray prints nothing: its words about lost workers go to standard output, which is the program's own."""
    from ray._private import worker

    before = getattr(worker, "_worker_logs_enabled", True)
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


@contextlib.contextmanager
def _on_loopback(wanted: bool) -> Iterator[None]:
    """Within, Ray takes 127.0.0.1 for this machine's address, and what it starts listens on no other.

    It does so by itself on systems where it does not support clusters.
    """
    if not wanted:
        yield
        return
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(_NO_CLUSTER)
    ray_constants.ENABLE_RAY_CLUSTER = False
    os.environ[_NO_CLUSTER] = "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before[0]
        if before[1] is None:
            del os.environ[_NO_CLUSTER]
        else:
            os.environ[_NO_CLUSTER] = before[1]


def _reach(address: str) -> None:
    """Whether anybody listens there: Ray itself tries for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536 or "/" in address:
        raise DJGraphError(
            f"{address!r} is no address of a Ray cluster; expected HOST:PORT, such as 10.0.0.1:6379, {AUTO} for the"
            f" one that this machine belongs to, or {EMBEDDED} for this machine alone"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH).close()
    except OSError as problem:
        raise DJGraphError(
            f"no Ray cluster answers at {address}: {problem.strerror or problem}\n"
            f"  ray status, on its head, says where it listens; start one: ray start --head --port {port}"
        ) from problem


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray puts a handler of its own behind SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
