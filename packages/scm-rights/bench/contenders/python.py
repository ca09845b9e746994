"""Python's socket.send_fds and recv_fds, blocking. Prints one line of JSON; see ../send-fds.ts for the work."""

import json
import os
import socket
import sys
import time

messages, round_trips, burst, size = (int(argument) for argument in sys.argv[1:5])
payload = b"x" * size
null = os.open("/dev/null", os.O_RDONLY)


def receive(sock):
    data, fds, _flags, _address = socket.recv_fds(sock, size, 1)
    if len(data) != size or len(fds) != 1:
        sys.exit(f"received {len(data)} bytes and {len(fds)} descriptors")
    os.close(fds[0])


def one_way(count):
    a, b = socket.socketpair()
    for _ in range(count // burst):
        for _ in range(burst):
            socket.send_fds(a, [payload], [null])
        for _ in range(burst):
            receive(b)


def echo(sock, count):
    for _ in range(count):
        receive(sock)
        socket.send_fds(sock, [payload], [null])


def there_and_back(warm_up, count):
    a, b = socket.socketpair()
    if os.fork() == 0:
        echo(b, warm_up + count)
        os._exit(0)
    taken = []
    for index in range(warm_up + count):
        start = time.perf_counter_ns()
        socket.send_fds(a, [payload], [null])
        receive(a)
        if index >= warm_up:
            taken.append(time.perf_counter_ns() - start)
    os.wait()
    return sorted(taken)[count // 2] / 1000


one_way(messages // 10)
start = time.perf_counter_ns()
one_way(messages)
seconds = (time.perf_counter_ns() - start) / 1e9
print(
    json.dumps(
        {
            "messagesPerSecond": messages / seconds,
            "roundTripUs": there_and_back(round_trips // 10, round_trips),
        }
    )
)
