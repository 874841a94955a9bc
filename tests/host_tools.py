"""Two hosts on this machine: network namespaces with a link between them, which needs root and `ip`."""

from __future__ import annotations

import fcntl
import heapq
import os
import select
import shutil
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

ADDRESSES = ("10.77.0.1", "10.77.0.2")

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None,
    reason="network namespaces need root and ip",
)


def ip(*arguments: str) -> str:
    """Return what the command `ip` prints."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


class Hosts:
    """Two hosts, each a namespace, and the link between them."""

    def __init__(self, namespaces: tuple[str, str], folder: Path) -> None:
        self.namespaces = namespaces
        self._launcher = folder / "launch"
        self._launcher.write_text(
            "#!/bin/sh\n"
            'while [ "${1#-}" != "$1" ]; do shift; done\n'  # options of ssh
            f"case $1 in {ADDRESSES[0]}) host={namespaces[0]} ;; *) host={namespaces[1]} ;; esac\n"
            "shift\n"
            'exec ip netns exec "$host" sh -c "$*"\n'
        )
        self._launcher.chmod(self._launcher.stat().st_mode | stat.S_IXUSR)

    def command(self, mpiexec: str, program: Sequence[str]) -> list[str]:
        """Return what starts a process on each host, from the first one."""
        first = ["ip", "netns", "exec", self.namespaces[0]]
        where = ["-localhost", ADDRESSES[0], "-hosts", ",".join(ADDRESSES), "-n", "2"]
        # Both are on one machine, whose memory would be quicker.
        network = ["-genv", "UCX_TLS", "tcp,self", "-genv", "FI_PROVIDER", "tcp"]
        launch = ["-launcher", "ssh", "-launcher-exec", str(self._launcher)]
        return [*first, mpiexec, *launch, *where, *network, *program]

    def cut(self) -> None:
        """Cut the link: what is sent is lost, and nobody is told."""
        ip("-n", self.namespaces[1], "link", "set", "wire", "down")


@contextmanager
def two_hosts(folder: Path, delay: float | None = None) -> Iterator[Hosts]:
    """Make two hosts with a link: a veth pair, or one that takes `delay` seconds each way."""
    namespaces = (f"fastmlp-{os.getpid()}-1", f"fastmlp-{os.getpid()}-2")
    with ExitStack() as stack:
        for name in namespaces:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "delete", name)
        if delay is None:
            other_end = ("peer", "name", "wire", "netns", namespaces[1])
            ip("link", "add", "name", "wire", "netns", namespaces[0], "type", "veth", *other_end)
        else:
            stack.enter_context(_slow_link(namespaces, delay))
        for name, address, peer in zip(namespaces, ADDRESSES, ADDRESSES[::-1], strict=True):
            ip("-n", name, "address", "add", address, "peer", peer, "dev", "wire")
            ip("-n", name, "link", "set", "wire", "up")
            ip("-n", name, "link", "set", "lo", "up")
        while not all("LOWER_UP" in ip("-n", name, "link", "show", "wire") for name in namespaces):
            time.sleep(0.01)
        yield Hosts(namespaces, folder)


@contextmanager
def _slow_link(namespaces: tuple[str, str], delay: float) -> Iterator[None]:
    """Link namespaces by two TUN devices, between which a thread carries the packets.

    The kernel's own delay, netem, is a module that many systems lack.
    """
    ends = [_tun(name) for name in namespaces]
    over = threading.Event()
    carrier = threading.Thread(target=_carry, args=(ends, delay, over))
    carrier.start()
    try:
        yield
    finally:
        over.set()
        carrier.join()
        for end in ends:
            os.close(end)


def _tun(namespace: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = f"tun{os.getpid()}"
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    ip("link", "set", name, "netns", namespace, "name", "wire")
    return end


def _carry(ends: list[int], delay: float, over: threading.Event) -> None:
    under_way: list[tuple[float, int, int, bytes]] = []  # until when, a number, where to, and what
    count = 0
    while not over.is_set():
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else 0.05
        for end in select.select(ends, [], [], min(wait, 0.05))[0]:
            count += 1
            packet = os.read(end, 65536)
            heapq.heappush(under_way, (time.monotonic() + delay, count, ends[1 - ends.index(end)], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(under_way)
            with suppress(OSError):  # not up yet, or no longer: then it is lost, as on any network
                os.write(end, packet)
