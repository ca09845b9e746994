#!/usr/bin/env -S node --single-threaded --gc-global --v8-pool-size=1
import process from 'node:process';
import { processHost } from '../context.ts';
import { runCli } from '../run-cli.ts';

process.exitCode = await runCli(process.argv.slice(2), processHost(process));
