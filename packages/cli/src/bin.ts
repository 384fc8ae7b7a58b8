#!/usr/bin/env node
import { processIo } from './io.js';
import { main } from './main.js';

// A reader that has seen enough, such as head, closes the pipe: no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

process.exitCode = await main(process.argv.slice(2), processIo());
