import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  hasBusybox,
  hasPython,
  isRoot,
  launcher,
  missing,
  runProgram,
  Scratch,
} from './cli-fixture.ts';

const scratch = new Scratch();
afterEach(() => scratch.requireEmpty());
afterAll(() => scratch.remove());

/** Runs a program in a terminal of 40 rows and 100 columns; types each text, or changes the size, when the one before it is answered. */
const inTerminal = `
import fcntl, json, os, pty, select, struct, sys, termios
typing = json.loads(sys.argv[1])
master, slave = pty.openpty()
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 100, 0, 0))
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.close(master)
    os.login_tty(slave) if hasattr(os, 'login_tty') else (os.setsid(), fcntl.ioctl(slave, termios.TIOCSCTTY, 0), [os.dup2(slave, n) for n in (0, 1, 2)])
    os.execv(sys.argv[2], sys.argv[2:])
out, status = b'', None
while True:
    if select.select([master], [], [], 0.05)[0]:
        out += os.read(master, 65536)
        if typing and typing[0][0].encode() in out:
            answer = typing.pop(0)[1]
            if isinstance(answer, str): os.write(master, answer.encode())
            else: fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', *answer, 0, 0))
    elif status is not None:
        break
    else:
        done, raw = os.waitpid(pid, os.WNOHANG)
        if done: status = os.waitstatus_to_exitcode(raw)
print(json.dumps({'code': status, 'output': out.decode(), 'restored': termios.tcgetattr(slave) == before}))`;

interface TerminalOutcome {
  code: number;
  output: string;
  restored: boolean;
}

async function runInTerminal(
  args: readonly string[],
  typing: [string, string | [rows: number, columns: number]][] = [],
): Promise<TerminalOutcome> {
  const all = ['-c', inTerminal, JSON.stringify(typing), launcher, '--root', scratch.root, ...args];
  const { stdout, stderr } = await runProgram('python3', all);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as TerminalOutcome;
}

describe.skipIf(!isRoot || !hasPython)(
  `pilotlight run in a terminal${missing({ root: isRoot, python3: hasPython })}`,
  () => {
    it('gives the program a terminal of the same size, and its last output arrives', async () => {
      const script = 'tty; stty size; seq 1 5000; echo last; exit 5';
      const { code, output, restored } = await runInTerminal(['run', '--', 'sh', '-c', script]);
      expect({ code, restored }).toEqual({ code: 5, restored: true });
      const lines = output.split('\r\n');
      expect(lines[0]).toMatch(/^\/dev\/(pts\/0|console)$/);
      const numbers = Array.from({ length: 5000 }, (_, index) => String(index + 1));
      expect(lines.slice(1)).toEqual(['40 100', ...numbers, 'last', '']);
    });

    it('hands over what is typed, and a typed ^C is the signal of the program', async () => {
      const script =
        'trap "echo interrupted; exit 3" INT; echo ready; read x; echo "got $x"; while :; do sleep 0.05; done';
      const { code, output, restored } = await runInTerminal(
        ['run', '--', 'sh', '-c', script],
        [
          ['ready', 'hello\r'],
          ['got hello', '\u0003'],
        ],
      );
      expect({ code, restored }).toEqual({ code: 3, restored: true });
      expect(output).toMatch(/interrupted/);
    });

    it('follows the size of its terminal, and the program is told', async () => {
      const script = 'trap "stty size; exit 6" WINCH; echo ready; while :; do sleep 0.05; done';
      const { code, output } = await runInTerminal(
        ['run', '--', 'sh', '-c', script],
        [['ready', [24, 80]]],
      );
      expect(code).toBe(6);
      expect(output).toBe('ready\r\n24 80\r\n');
    });

    it('gives the terminal back when the launch fails', async () => {
      const { code, output, restored } = await runInTerminal(['run', '--', 'no-such-program']);
      expect({ code, restored }).toEqual({ code: 127, restored: true });
      // Colour, because this is a terminal.
      expect(output).toContain('\u001b[1;31mpilotlight:\u001b[0m run "no-such-program"');
    });

    it('takes no terminal for a pipe', async () => {
      const { stdout } = await scratch.run([
        'run',
        '--',
        'sh',
        '-c',
        'test -t 1 || echo no terminal',
      ]);
      expect(stdout).toBe('no terminal\n');
    });
  },
);

describe.skipIf(!isRoot || !hasPython || !hasBusybox)(
  `pilotlight run --console-socket${missing({ root: isRoot, python3: hasPython, busybox: hasBusybox })}`,
  () => {
    it('sends the terminal of a detached program to whoever listens', async () => {
      const id = scratch.id();
      const bundle = scratch.bundle('echo in a terminal; tty; exit 4', (spec) => {
        spec.process.terminal = true;
      });
      const listener = `
import array, os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
launched = subprocess.run(sys.argv[2:], timeout=60).returncode
c, _ = s.accept()
name, control, _, _ = c.recvmsg(4096, socket.CMSG_SPACE(64))
master = array.array('i', control[0][2])[0]
out = b''
while True:
    try: chunk = os.read(master, 4096)
    except OSError: break
    out += chunk
print(launched, name.decode(), out.decode())`;
      const path = scratch.path('console');
      const args = [
        '--root',
        scratch.root,
        'run',
        '-d',
        '--console-socket',
        path,
        '-b',
        bundle,
        id,
      ];
      const { stdout, stderr } = await runProgram('python3', [
        '-c',
        listener,
        path,
        launcher,
        ...args,
      ]);
      expect(stderr).toBe('');
      expect(stdout).toMatch(
        /^0 \/dev\/(ptmx|pts\/ptmx) in a terminal\r?\n\/dev\/(pts\/0|console)/,
      );
      expect((await scratch.run(['wait', id])).stdout).toBe('4\n');
      await scratch.run(['delete', id]);
    });

    it.each([
      [['-d'], /nobody would hold the terminal/],
      [[], /standard input is no terminal/],
      [['--console-socket', '/no/such'], /only for a detached program/],
      [['-d', '--console-socket', '/no/such'], /connect to the console socket \/no\/such: ENOENT/],
    ])('is refused where it cannot work: %j', async (flags, message) => {
      const bundle = scratch.bundle('true', (spec) => {
        spec.process.terminal = true;
      });
      const { code, stderr } = await scratch.run(['run', ...flags, '-b', bundle, scratch.id()]);
      expect(code).toBe(125);
      expect(stderr).toMatch(message);
    });
  },
);
