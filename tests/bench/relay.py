"""A relay before sshd that holds every byte back, and counts round trips. A process of its own.

    relay.py SECONDS [RATE]    from port 2222 of every address to port 22 of the same, SECONDS each way, and in each
                               direction of a connection at most RATE bytes a second

A line on standard input is answered with the counts since the last, as JSON; its end ends the relay.

What the client sends after it has heard something, and at least a round trip after it last did so, is another round
trip: things that wait for each other cannot be closer. Counted for each host, over all its connections.
"""

import asyncio
import json
import sys

DELAY = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
RATE = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
trips, last, heard = {}, {}, {}


def client_sends(host, now):
    if heard.get(host, True) and now - last.get(host, -1e9) > 2 * DELAY * 0.9:
        trips[host] = trips.get(host, 0) + 1
        last[host] = now
        heard[host] = False


async def pump(reader, writer, sent, arrives):
    loop = asyncio.get_running_loop()
    # When the line is free again.
    free = 0.0

    def put(chunk):
        arrives()
        try:
            writer.write(chunk) if chunk else writer.write_eof()
        except OSError:
            # It has hung up meanwhile.
            pass

    try:
        while chunk := await reader.read(1 << 16):
            sent()
            free = max(free, loop.time()) + (len(chunk) / RATE if RATE else 0.0)
            loop.call_at(free + DELAY, put, chunk)
    except ConnectionError:
        pass
    end = max(free, loop.time()) + DELAY
    loop.call_at(end, put, b"")
    await asyncio.sleep((end - loop.time()) * 1.01)


async def serve(reader, writer):
    host = writer.get_extra_info("sockname")[0]
    now = asyncio.get_running_loop().time
    # TCP's own handshake: one round trip before the first byte can go, and it arrives after another way.
    client_sends(host, now())
    heard[host] = True
    await asyncio.sleep(2 * DELAY)
    try:
        far_reader, far_writer = await asyncio.open_connection(host, 22)
    except OSError:
        writer.close()
        return
    there = pump(reader, far_writer, lambda: client_sends(host, now()), lambda: None)
    back = pump(far_reader, writer, lambda: None, lambda: heard.__setitem__(host, True))
    await asyncio.gather(there, back, return_exceptions=True)
    for stream in (writer, far_writer):
        stream.close()


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 2222, backlog=1024)
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    print(flush=True)
    while await stdin.readline():
        print(json.dumps(trips), flush=True)
        for counts in (trips, last, heard):
            counts.clear()
    server.close()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
