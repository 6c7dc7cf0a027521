#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A TLS transport of asyncio says that its write buffer is empty while all that was written still waits.
#
# Versions: Debian 12's python3.11 (3.11.2-6+deb12u*) and openssl 3.0.
# Behaviour: a server writes 64 MiB at once to a client that has connected and does not read. Without TLS,
# transport.get_write_buffer_size() is what the kernel did not take yet, about 64 MiB. With TLS it is 0: the bytes are
# encrypted into a transport below, whose buffer is not counted, and the limit at which pause_writing() is called is that
# of the upper buffer. So a server cannot ask a TLS transport whether its client takes an answer, as it can ask another;
# drain() returns at once. The documentation knows no such difference.
# Seen:   plain: get_write_buffer_size() = 64 MiB or a little less; writing paused: yes
#         tls:   get_write_buffer_size() = 0; writing paused: no
# Sources: https://docs.python.org/3.11/library/asyncio-protocol.html#asyncio.WriteTransport.get_write_buffer_size
#          ("Return the current size of the output buffer used by the transport.");
#          CPython 3.11 Lib/asyncio/sslproto.py, SSLProtocol._get_write_buffer_size() and _process_outgoing().
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
[[ -x /usr/bin/python3.11 ]] || apt-get install -y python3.11 >/dev/null
command -v openssl >/dev/null || apt-get install -y openssl >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
	-keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null

cat >"$folder/look.py" <<'PYTHON'
import asyncio
import socket
import ssl
import sys

MIB = 1 << 20


class Writer(asyncio.Protocol):
    """Writes 64 MiB to whoever connects."""

    def __init__(self, done: asyncio.Future) -> None:
        self.done, self.paused = done, False

    def connection_made(self, transport: asyncio.Transport) -> None:
        transport.write(bytes(64 * MIB))
        asyncio.get_running_loop().call_later(1, self.look, transport)

    def pause_writing(self) -> None:
        self.paused = True

    def look(self, transport: asyncio.Transport) -> None:
        self.done.set_result((transport.get_write_buffer_size(), self.paused))
        transport.abort()


def connect(port: int, tls: bool) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), 30)
    if not tls:
        return client
    context = ssl.create_default_context(cafile=sys.argv[2])
    return context.wrap_socket(client, server_hostname="localhost")  # and reads nothing more


async def look(context: ssl.SSLContext | None) -> tuple[int, bool]:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    server = await loop.create_server(lambda: Writer(done), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    client = await asyncio.to_thread(connect, port, context is not None)
    try:
        return await asyncio.wait_for(done, 30)
    finally:
        client.close()
        server.close()


server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_side.load_cert_chain(sys.argv[2], sys.argv[1])
plain, tls = asyncio.run(look(None)), asyncio.run(look(server_side))
for name, (size, paused) in (("plain", plain), ("tls", tls)):
    print(f"{name}: get_write_buffer_size() = {size}; writing paused: {'yes' if paused else 'no'}")
sys.exit(0 if plain[0] > 32 * MIB and plain[1] and tls == (0, False) else 1)
PYTHON

/usr/bin/python3.11 --version
timeout 120 /usr/bin/python3.11 "$folder/look.py" "$folder/key.pem" "$folder/certificate.pem"
