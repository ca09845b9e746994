#!/usr/bin/env -S node --single-threaded --gc-global --v8-pool-size=1 --min-semi-space-size=16 --no-minor-gc-task
import { processHost } from '../context.ts';
import { runCli } from '../run-cli.ts';

// The global, never `node:process`: importing that opens the standard streams, which makes pipes non-blocking, also for
// the program that inherits them from us.
process.exitCode = await runCli(process.argv.slice(2), processHost(process));
