"""A QEMU guest with real kernel devices: boot, save, resume, cut the power, plug and pull."""

import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.vm.agent import Agent
from tests.vm.channel import Channel, ChannelError, connected
from tests.vm.line import Line

ACCELERATOR: Final = os.environ.get("SCANGATE_VM_ACCEL", "tcg,thread=multi,tb-size=512")
"""Plain emulation works on every machine; `kvm` is some fifteen times faster where /dev/kvm serves."""
MEMORY_MIB: Final = 768
HEADS: Final = 4
"""Invisible displays: QEMU sends keys to one of several keyboards by the display it belongs to."""
BOOT_SECONDS: Final = 300.0
PORTS: Final = ("org.scangate.watch",)
"""Serial lines of the guest (/dev/virtio-ports/NAME), each a Unix socket of the host."""
KEY_SECONDS: Final = 0.012
"""QEMU's keyboard is polled every 8 ms and holds 16 events; what comes faster is dropped without a word."""
DATA_MIB: Final = 64


class Machine:
    """One guest; its files lie in `work`. Its disk is a layer over the image and holds the saved states."""

    def __init__(self, image: Path, work: Path) -> None:
        self.image = image
        self.work = work
        self.disk = work / "root.qcow2"
        self._qemu: subprocess.Popen[bytes] | None = None
        self._nbdkit: subprocess.Popen[bytes] | None = None
        self._monitor: Channel | None = None
        self._agent: Agent | None = None
        self._keyboards: dict[str, int] = {}
        self._lines: dict[str, Line] = {}
        if not self.disk.exists():
            work.mkdir(parents=True, exist_ok=True)
            layer = ("-q", "-f", "qcow2", "-F", "raw", "-b", str((image / "root.img").resolve()), str(self.disk))
            subprocess.run(["qemu-img", "create", *layer], check=True)

    @property
    def agent(self) -> Agent:
        """The guest's agent, while the machine runs."""
        assert self._agent is not None, "the machine is off"
        return self._agent

    @property
    def monitor(self) -> Channel:
        """QEMU's monitor, while the machine runs."""
        assert self._monitor is not None, "the machine is off"
        return self._monitor

    def saved(self) -> list[str]:
        """Names of the saved states."""
        listing = subprocess.run(
            ["qemu-img", "snapshot", "-l", str(self.disk)], check=True, capture_output=True, text=True
        )
        return [line.split()[1] for line in listing.stdout.splitlines()[2:]]

    def forget(self, state: str) -> None:
        """Remove a saved state; the machine is off."""
        subprocess.run(["qemu-img", "snapshot", "-d", state, str(self.disk)], check=True)

    def start(self, state: str | None = None) -> float:
        """Boot, or resume a saved state; return how long it took, seconds."""
        began = time.monotonic()
        assert self._qemu is None, "the machine runs already"
        for name in ("monitor", "agent", *PORTS):
            (self.work / name).unlink(missing_ok=True)
        command = guarded(*self._command(state))
        with (self.work / "qemu.log").open("ab") as log:
            self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._monitor = Channel(self.work / "monitor")
        self._monitor.command("qmp_capabilities")
        self._agent = Agent(self.work / "agent")
        self._agent.wait(time.monotonic() + BOOT_SECONDS)
        if state is not None:  # its clock goes on where it was saved
            self._agent.run(f"date -s @{time.time():.3f}")
        return time.monotonic() - began

    def _command(self, state: str | None) -> list[str]:
        command = [
            "qemu-system-x86_64",
            *("-M", "q35", "-accel", ACCELERATOR, "-cpu", "qemu64", "-smp", "2", "-m", str(MEMORY_MIB)),
            *("-nodefaults", "-display", "none", "-no-reboot"),
            *("-kernel", str(self.image / "vmlinuz"), "-initrd", str(self.image / "initrd")),
            *("-append", "console=tty0 console=ttyS0 quiet mitigations=off"),
            *("-drive", f"file={self.disk},if=none,id=root,format=qcow2,cache=writeback"),
            *("-device", "virtio-blk-pci,drive=root"),
            *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
            *("-device", "qemu-xhci,id=usb,p2=15,p3=15", "-device", "i6300esb"),
            *("-device", "pcie-root-port,id=disk-slot,chassis=1,slot=1"),  # the second disk is plugged here
            *("-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=agent,path={self.work / 'agent'},server=on,wait=off"),
            *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
            *("-chardev", f"file,id=console,path={self.work / 'console.log'},append=on"),
            *("-serial", "chardev:console"),
            *("-qmp", f"unix:{self.work / 'monitor'},server=on,wait=off"),
        ]
        for name in PORTS:
            command += ["-chardev", f"socket,id={name},path={self.work / name},server=on,wait=off"]
            command += ["-device", f"virtserialport,chardev={name},name={name}"]
        for head in range(HEADS):
            command += ["-device", f"bochs-display,id=head{head},vgamem=4M"]
        return command + (["-loadvm", state] if state else [])

    def save(self, state: str) -> None:
        """Keep memory and disk as they are, for `start(state)`."""
        said = self.monitor.command("human-monitor-command", **{"command-line": f"savevm {state}"})
        if said.strip():
            raise ChannelError(f"savevm {state}: {said}")

    def power_cut(self) -> None:
        """The plug is pulled: neither the guest nor its disk's write cache gets to do anything more."""
        running = [one for one in (self._nbdkit, self._qemu) if one is not None]
        for one in running:
            one.kill()
        for one in running:
            one.wait()
        self._forget_all()

    def shut_down(self, seconds: float = 120.0) -> None:
        """Shut the guest down in order."""
        assert self._qemu is not None
        self.agent.shut_down()
        self._qemu.wait(seconds)
        self.power_cut()

    def _forget_all(self) -> None:
        for channel in (self._monitor, self._agent, *self._lines.values()):
            if channel is not None:
                channel.close()
        self._qemu = self._nbdkit = self._monitor = self._agent = None
        self._lines = {}
        self._keyboards = {}

    def port(self, name: str) -> socket.socket:
        """Connect to the host's end of one of PORTS."""
        return connected(self.work / name)

    def plug_keyboard(self, name: str, serial: str, port: str | None = None) -> None:
        """Plug in a USB keyboard (0627:0001)."""
        head = next(n for n in range(HEADS) if n not in self._keyboards.values())
        where = {} if port is None else {"port": port}
        self._add("usb-kbd", name, bus="usb.0", display=f"head{head}", serial=serial, **where)
        self._keyboards[name] = head

    def press(self, name: str, codes: Sequence[tuple[str, bool]]) -> None:
        """Let a keyboard send key changes (QEMU's key name, pressed), at the pace QEMU can carry."""
        for code, down in codes:
            event = {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": code}}}
            self.monitor.command("input-send-event", device=f"head{self._keyboards[name]}", head=0, events=[event])
            time.sleep(KEY_SECONDS)  # the medium's own pace, not a wait for anything

    def plug_serial(self, name: str) -> Line:
        """Plug in a USB serial adapter (FTDI, 0403:6001); return the scanner's end of the line."""
        path = self.work / f"{name}.line"
        path.unlink(missing_ok=True)
        address = {"type": "unix", "data": {"path": str(path)}}
        backend = {"type": "socket", "data": {"addr": address, "server": True, "wait": False}}
        self.monitor.command("chardev-add", id=f"{name}-line", backend=backend)
        self._add("usb-serial", name, bus="usb.0", chardev=f"{name}-line", **{"always-plugged": True})
        self._lines[name] = Line(connected(path))
        return self._lines[name]

    def unplug(self, name: str) -> None:
        """Pull a keyboard or serial adapter."""
        self.monitor.command("device_del", id=name)
        if self._keyboards.pop(name, None) is not None:
            return
        self._lines.pop(name).close()
        until = time.monotonic() + 10
        while True:  # the line is free when the guest has let the device go
            with suppress(ChannelError):
                self.monitor.command("chardev-remove", id=f"{name}-line")
                return
            assert time.monotonic() < until, f"{name} is still plugged in"
            select.select([], [], [], 0.05)

    def plug_disk(self, file: Path, *, lossy: bool) -> None:
        """Plug in a second disk, /dev/vdb: what is on it outlives `power_cut` although the machine resumes.

        `lossy`: a write cache as drives have stands before it, and what was not flushed dies with the machine.
        """
        if not file.exists():
            with file.open("wb") as made:
                made.truncate(DATA_MIB << 20)
            subprocess.run([tool("mke2fs"), "-q", "-t", "ext4", "-O", "^metadata_csum", str(file)], check=True)
        backing: dict[str, Any] = {"driver": "file", "filename": str(file)}
        if lossy:
            path = self.work / "disk"
            path.unlink(missing_ok=True)
            command = ["nbdkit", "-f", "-U", str(path), "--filter=cache", "file", str(file), "cache=writeback"]
            with (self.work / "nbdkit.log").open("ab") as log:
                self._nbdkit = subprocess.Popen(guarded(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            connected(path).close()
            backing = {"driver": "nbd", "server": {"type": "unix", "path": str(path)}}
        self.monitor.command("blockdev-add", **{"node-name": "data", "driver": "raw", "file": backing})
        self._add("virtio-blk-pci", "data-disk", drive="data", bus="disk-slot")

    def link_up(self, *, up: bool) -> None:
        """Plug the network cable in, or pull it."""
        self.monitor.command("set_link", name="net", up=up)

    def _add(self, driver: str, name: str, **properties: object) -> None:
        self.monitor.command("device_add", driver=driver, id=name, **properties)


def guarded(*command: str) -> tuple[str, ...]:
    """Prefix a command so that it dies with this process: no stray guest is left behind."""
    return ("setpriv", "--pdeathsig", "KILL", *command)


def tool(name: str) -> str:
    """Return the path of a program, also where /sbin is not in the path. Raises FileNotFoundError."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise FileNotFoundError(name)
    return path
