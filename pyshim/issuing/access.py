# SPDX-License-Identifier: BSD-3-Clause
"""Where the control API listens and who may ask it: addresses, the token file, TLS.

Both the gateway and the commands that ask it decide this from the same configuration.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import socket
import ssl
import stat
from pathlib import Path

from pyshim.config import Config
from pyshim.config.values import Endpoint, UnixSocket
from pyshim.errors import ExitCode, PlanError, Problem
from pyshim.system.regular_file import open_regular, read_open, read_regular
from pyshim.system.unix_socket import listen_among_ours, listen_at

TOKEN_CHARS_MIN = 16
TOKEN_CHARS_MAX = 512
GAME_TOKEN_CHARS_MAX = 127  # what fits a HELLO
KEY_BYTES = 32  # of the key of connect tokens

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # what a bearer token may be (RFC 6750 2.1)
_PEM_END = "-----END CERTIFICATE-----\n"
_BACKLOG = 64
_KEY_CHARS_MAX = 200


def control_address(config: Config) -> Endpoint | UnixSocket:
    """Where the API of this configuration is; for a user other than root by default in that user's files."""
    if config.control.listen is not None:
        return config.control.listen
    return UnixSocket(f"{_runtime_directory()}/{config.eal.file_prefix}.sock")


def _runtime_directory() -> str:
    of_user = os.environ.get("XDG_RUNTIME_DIR") if os.geteuid() != 0 else None
    return f"{of_user or '/run'}/pollgate"


def advertised(config: Config) -> Endpoint:
    """The address that players are told to connect to."""
    if config.control.advertise is not None:
        return config.control.advertise
    port = next(entry.port for entry in config.listen if entry.is_issued)
    return Endpoint(str(config.ports[0].address[0].ip), port)


def check_files(config: Config) -> None:
    """Read what `run` will read.

    Raises:
        PlanError: a file that is no token, certificate or key, or cannot be read.
    """
    read_token(config)
    read_game_token(config)
    server_tls(config)
    if config.speaks_netcode:
        read_private_key(config)


# ---------------------------------------------------------------- the token


class Token:
    """The bearer token of this gateway; compared in constant time, and never shown."""

    def __init__(self, text: str) -> None:
        """Keep it."""
        self._text = text.encode()

    def opens(self, header: str | None) -> bool:
        """Whether an Authorization header carries it."""
        scheme, _, given = (header or "").partition(" ")
        return hmac.compare_digest(given.strip().encode(), self._text) and scheme.lower() == "bearer"

    def header(self) -> str:
        """The Authorization header that carries it."""
        return f"Bearer {self._text.decode()}"


def read_token(config: Config) -> Token | None:
    """The token in control.token_file; None when the configuration names none.

    Raises:
        PlanError: the file cannot be read, others may read it, or there is no token in it.
    """
    if config.control.token_file is None:
        return None
    return Token(_token_in("control.token_file", Path(config.control.token_file), TOKEN_CHARS_MAX))


def read_game_token(config: Config) -> bytes | None:
    """The token in game.token_file, which game processes know; None when the configuration names none.

    Raises:
        PlanError: as of `read_token`.
    """
    if config.game.token_file is None:
        return None
    return _token_in("game.token_file", Path(config.game.token_file), GAME_TOKEN_CHARS_MAX).encode()


def _token_in(key: str, path: Path, chars_max: int) -> str:
    try:
        fd = open_regular(path)
        mode = os.fstat(fd).st_mode
        text = read_open(fd, path, chars_max + 100).decode("ascii").strip()
    except OSError as problem:
        text = f"{path} cannot be read: {problem.strerror}"
        raise PlanError([Problem(key, text, ExitCode.UNAVAILABLE)]) from problem
    except UnicodeDecodeError:
        text, mode = "", 0
    _check_mode(key, path, mode)
    if not TOKEN_CHARS_MIN <= len(text) <= chars_max or not _TOKEN.fullmatch(text):
        text = (
            f"{path} has no token: one line of {TOKEN_CHARS_MIN} to {chars_max} letters, digits and "
            "-._~+/ is needed; `openssl rand -hex 32` makes one"
        )
        raise PlanError([Problem(key, text)])
    return text


def _check_mode(key: str, path: Path, mode: int) -> None:
    """Of a file with a secret in it."""
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        text = (
            f"{path} has mode {stat.S_IMODE(mode):04o}: others than its owner and group can read it, or more "
            "than its owner can write it; chmod 600 it"
        )
        raise PlanError([Problem(key, text)])


# ---------------------------------------------------------------- the key of connect tokens


def read_private_key(config: Config) -> bytes:
    """The 32 bytes in netcode.private_key_file.

    Raises:
        PlanError: the file cannot be read, others may read it, or there is no key in it.
    """
    key, path = "netcode.private_key_file", Path(config.netcode.private_key_file or "")
    try:
        fd = open_regular(path)
        mode = os.fstat(fd).st_mode
        text = read_open(fd, path, _KEY_CHARS_MAX).decode("ascii").strip()
    except OSError as problem:
        text = f"{path} cannot be read: {problem.strerror}"
        raise PlanError([Problem(key, text, ExitCode.UNAVAILABLE)]) from problem
    except UnicodeDecodeError:
        text, mode = "", 0
    _check_mode(key, path, mode)
    found = _key_in(text)
    if found is None:
        text = (
            f"{path} has no key: 64 hexadecimal digits, or 32 bytes in base64, are needed; "
            "`openssl rand -hex 32` makes one"
        )
        raise PlanError([Problem(key, text)])
    return found


def _key_in(text: str) -> bytes | None:
    try:
        found = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return found if len(found) == KEY_BYTES else None


# ---------------------------------------------------------------- TLS


def server_tls(config: Config) -> ssl.SSLContext | None:
    """What the API proves itself with; None without control.tls.

    Raises:
        PlanError: a file cannot be read, or is not a certificate, or not its key, or others may read that.
    """
    files = config.control.tls
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for key, name in (("tls.certificate", files.certificate), ("tls.key", files.key)):
        try:
            os.close(open_regular(Path(name)))
        except OSError as problem:
            raise _wrong(key, f"{name} cannot be read: {problem.strerror}", ExitCode.UNAVAILABLE) from problem
    _check_mode("control.tls.key", Path(files.key), Path(files.key).stat().st_mode)
    try:
        # A key with a passphrase must not make the gateway ask for it on a terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    except (ssl.SSLError, ValueError) as problem:
        raise _wrong(
            "tls",
            f"{files.certificate} and {files.key} are not a certificate in PEM and its private key without "
            f"a passphrase ({getattr(problem, 'reason', None) or problem})",
        ) from problem
    return context


def client_tls(config: Config) -> ssl.SSLContext | None:
    """What a command on the same host trusts: the gateway's certificate as the configuration names it.

    Raises:
        PlanError: the file cannot be read, or is not a certificate.
    """
    files = config.control.tls
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The gateway's own certificate, the first of the file, and nobody else's whatever name it has: that of an
    # issuer would let in everyone it has issued one to.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    try:
        first = read_regular(Path(files.certificate)).decode("ascii").partition(_PEM_END)[0] + _PEM_END
        context.load_verify_locations(cadata=first)
    except (OSError, ValueError) as problem:
        raise _wrong(
            "tls.certificate",
            f"{files.certificate} cannot be read as a certificate in PEM: "
            f"{getattr(problem, 'strerror', None) or problem}",
            ExitCode.UNAVAILABLE,
        ) from problem
    return context


# ---------------------------------------------------------------- the socket


def bind(address: Endpoint | UnixSocket, *, is_default: bool) -> socket.socket:
    """A socket that listens at `address`, the caller's to close; one in the file system is its owner's alone.

    Raises:
        PlanError: the address cannot be had.
    """
    try:
        return (
            _bind_unix(address.path, is_default=is_default)
            if isinstance(address, UnixSocket)
            else _bind_tcp(address)
        )
    except OSError as problem:
        raise _wrong(
            "listen",
            f"{address} cannot be listened on: {problem.strerror or problem}; name another place, such as "
            "unix:/path or 127.0.0.1:0",
            ExitCode.UNAVAILABLE,
        ) from problem


def _bind_tcp(address: Endpoint) -> socket.socket:
    family, _, _, _, name = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _bind_unix(path: str, *, is_default: bool) -> socket.socket:
    if is_default:
        Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        return listen_among_ours(Path(path))
    return listen_at(Path(path))


def _wrong(key: str, text: str, code: ExitCode = ExitCode.CONFIG) -> PlanError:
    return PlanError([Problem(f"control.{key}", text, code)])
