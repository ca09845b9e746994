// The usocket package, where it builds. Prints one line of JSON; see ../send-fds.ts for the work.
'use strict';
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { closeSync, mkdtempSync, openSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const { USocket, UServer } = require(process.env.BENCH_USOCKET || 'usocket');

const [kind, ...numbers] = process.argv.slice(2);
const [messages, roundTrips, burst, size] = numbers.map(Number);
const payload = Buffer.alloc(size, 'x');
const file = openSync('/dev/null', 'r');
const dir = kind === 'echo' ? undefined : mkdtempSync(join(tmpdir(), 'usocket-'));

/** @param {import('node:stream').Duplex} socket */
function endOf(socket) {
  let bytes = 0;
  let fds = 0;
  let wanted;
  socket.on('fds', (received) => {
    fds += received.length;
    for (const fd of received) closeSync(fd);
  });
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    if (wanted !== undefined) wanted();
  });
  return {
    send: () => socket.write({ data: payload, fds: [file] }),
    receive: async () => {
      // oxlint-disable-next-line no-unmodified-loop-condition -- by the listeners above
      while (bytes < size || fds < 1) await new Promise((resolve) => (wanted = resolve));
      bytes -= size;
      fds -= 1;
    },
    end: () => socket.destroy(),
  };
}

async function listenAt(path) {
  const server = new UServer();
  const listening = once(server, 'listening');
  server.listen(path);
  await listening;
  return server;
}

async function oneWay(name, count) {
  const path = join(dir, name);
  const server = await listenAt(path);
  const accepting = once(server, 'connection');
  const client = new USocket();
  const connecting = once(client, 'connected');
  client.connect(path);
  await connecting;
  const [a, b] = [endOf(client), endOf((await accepting)[0])];
  server.close();
  for (let done = 0; done < count; done += burst) {
    for (let index = 0; index < burst; index += 1) a.send();
    for (let index = 0; index < burst; index += 1) await b.receive();
  }
  a.end();
  b.end();
}

async function thereAndBack(warmUp, count) {
  const path = join(dir, 'echo');
  const server = await listenAt(path);
  const accepting = once(server, 'connection');
  const child = spawn(
    process.execPath,
    [__filename, 'echo', `${warmUp + count}`, '0', '1', `${size}`, path],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const ended = once(child, 'exit');
  const end = endOf((await accepting)[0]);
  server.close();
  const taken = [];
  for (let index = 0; index < warmUp + count; index += 1) {
    const start = performance.now();
    end.send();
    await end.receive();
    if (index >= warmUp) taken.push(performance.now() - start);
  }
  end.end();
  await ended;
  return taken.toSorted((a, b) => a - b)[Math.floor(count / 2)] * 1000;
}

async function echo(path) {
  const socket = new USocket();
  const connecting = once(socket, 'connected');
  socket.connect(path);
  await connecting;
  const end = endOf(socket);
  for (let index = 0; index < messages; index += 1) {
    await end.receive();
    end.send();
  }
  // The last answer is on its way; the other side hangs up.
}

async function main() {
  if (kind === 'echo') return echo(process.argv.at(-1));
  try {
    await oneWay('warm-up', messages / 10);
    const start = performance.now();
    await oneWay('one-way', messages);
    const seconds = (performance.now() - start) / 1000;
    const messagesPerSecond = messages / seconds;
    const roundTripUs = await thereAndBack(roundTrips / 10, roundTrips);
    process.stdout.write(`${JSON.stringify({ messagesPerSecond, roundTripUs })}\n`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

void main();
