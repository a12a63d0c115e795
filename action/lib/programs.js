'use strict';
// Starts programs: never through a shell, and with the signals of the runner passed on.
//
// When a run is cancelled, the runner sends SIGINT to this process alone, SIGTERM after 7.5 s, and kills
// the whole tree after another 2.5 s. A program that was started here must end with it, and in time.

const { spawn } = require('node:child_process');

const { ActionError, pauseCommands } = require('./runner');

const PASSED_ON = ['SIGINT', 'SIGTERM'];

/** The run was cancelled. */
class Cancelled extends ActionError {}

let running = null;
let cancelled = null;

/** Pass signals on to the running program, and start none after one has come. */
function passSignalsOn() {
  for (const signal of PASSED_ON) {
    process.on(signal, () => {
      cancelled = signal;
      running?.kill(signal);
    });
  }
}

/** Go on in spite of signals: only SIGKILL ends this process, and what it has started. */
function ignoreSignals() {
  for (const signal of PASSED_ON) process.on(signal, () => {});
}

/**
 * Run a program to its end. `words` is its argument list.
 *
 * Returns `{code, output}`: `code` is null if a signal ended it; `output` is its stdout if `capture`, else
 * empty, and stdout goes to the log.
 */
async function run(program, words, { capture = false, env = process.env, cwd } = {}) {
  if (cancelled) throw new Cancelled(`cancelled (${cancelled})`);
  const resumeCommands = pauseCommands();
  try {
    const result = await ended(program, words, { capture, env, cwd });
    if (cancelled) throw new Cancelled(`cancelled (${cancelled})`);
    return result;
  } finally {
    resumeCommands();
  }
}

function ended(program, words, { capture, env, cwd }) {
  return new Promise((resolve, reject) => {
    // stderr joins stdout: in one stream, all of it stays between the marks of pauseCommands.
    const stdio = ['ignore', capture ? 'pipe' : 1, 1];
    running = spawn(program, words, { stdio, env, cwd, shell: false });
    const chunks = [];
    running.stdout?.on('data', (chunk) => chunks.push(chunk));
    running.on('error', (error) => {
      running = null;
      reject(new ActionError(`${program} cannot be started: ${error.message}`));
    });
    running.on('close', (code) => {
      running = null;
      resolve({ code, output: Buffer.concat(chunks).toString('utf8') });
    });
  });
}

/** Run a program that must succeed; returns its stdout if `capture`. */
async function mustRun(program, words, options) {
  const { code, output } = await run(program, words, options);
  if (code !== 0) throw new ActionError(`${program} ${words[0] ?? ''}: ended with ${code}`);
  return output;
}

module.exports = { Cancelled, ignoreSignals, mustRun, passSignalsOn, run };
