"""SFTP, FTPS and HTTPS by the servers that regions run, each for one test, on 127.0.0.1.

None listens on a port that was guessed: sshd answers each connection on its standard input (as inetd starts it), nginx
takes over a socket that is open already (as in its own upgrade), the FTP server says which port it got.
"""

import getpass
import grp
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.brokers import wait_for

SSHD: Final = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NGINX: Final = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

FTP_SERVER: Final = """
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

certificate, folder, password = sys.argv[1:]
authorizer = DummyAuthorizer()
authorizer.add_user("gw01", password, folder, perm="elr")
TLS_FTPHandler.certfile = certificate
TLS_FTPHandler.tls_control_required = TLS_FTPHandler.tls_data_required = True
TLS_FTPHandler.authorizer = authorizer
server = FTPServer(("127.0.0.1", 0), TLS_FTPHandler)
print(server.address[1], flush=True)
server.serve_forever()
"""


class Sshd:
    """OpenSSH's SFTP server in a folder of its own: its keys, the one that may log in, and what it serves."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = directory / "served"
        self.folder.mkdir(parents=True)
        for name in ("host", "client", "stranger"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name],
                check=True,
                capture_output=True,
            )
        (directory / "sshd_config").write_text(
            f"HostKey {directory}/host\nAuthorizedKeysFile {directory}/client.pub\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
            f"PidFile none\nLogLevel ERROR\n"
        )
        self.user = getpass.getuser()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._children: list[subprocess.Popen[bytes]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def known_hosts(self) -> str:
        """What ssh-keyscan would write."""
        return f"[127.0.0.1]:{self.port} {(self.directory / 'host.pub').read_text()}"

    def url(self, name: str = "articles.csv") -> str:
        return f"sftp://127.0.0.1:{self.port}{self.folder}/{name}"

    def _serve(self) -> None:
        command = [str(SSHD), "-i", "-e", "-f", str(self.directory / "sshd_config")]
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, (self.directory / "log").open("ab") as log:
                    self._children.append(
                        subprocess.Popen(command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=log)
                    )

    def close(self) -> None:
        self._listener.close()
        for child in self._children:
            child.kill()
            child.wait()


@contextmanager
def sshd(directory: Path) -> Iterator[Sshd]:
    if SSHD is None:
        pytest.skip("openssh-server is not on this machine")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(
            mode=0o755, exist_ok=True
        )  # where root's sshd leaves its privileges, as its unit makes it
    server = Sshd(directory)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def ftps(folder: Path, certificate: Path, password: str) -> Iterator[int]:
    """Serve a folder by explicit FTPS to the user gw01; yield the port."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", FTP_SERVER, str(certificate), str(folder), password]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def nginx(directory: Path, certificate: Path, key: Path, users: str) -> Iterator[int]:
    """Serve `directory`/served over HTTPS to `users`, lines of htpasswd; yield the port."""
    if NGINX is None:
        pytest.skip("nginx is not on this machine")
    (directory / "served").mkdir(parents=True, exist_ok=True)
    (directory / "users").write_text(users)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        user, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
        scratch = " ".join(f"{name}_temp_path {directory / 'scratch'};" for name in paths)
        (directory / "nginx.conf").write_text(
            f"""
            daemon off; worker_processes 1; user {user} {group}; pid {directory}/pid; error_log {directory}/error.log;
            events {{ }}
            http {{
                access_log off; {scratch}
                server {{
                    listen 127.0.0.1:{port} ssl;
                    ssl_certificate {certificate}; ssl_certificate_key {key};
                    root {directory}/served; auth_basic "articles"; auth_basic_user_file {directory}/users;
                }}
            }}
            """
        )
        listener.setblocking(False)
        inherited = os.environ | {"NGINX": f"{listener.fileno()};"}
        command = [str(NGINX), "-p", str(directory), "-c", str(directory / "nginx.conf")]
        process = subprocess.Popen(command, env=inherited, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: (directory / "pid").exists() or process.poll() is not None, "nginx")
            yield port
        finally:
            process.terminate()
            process.wait()
