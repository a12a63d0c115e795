'use strict';
// The runner's side of an action: inputs, outputs, state, summary and messages.
//
// Source: GitHub Docs, "Workflow commands for GitHub Actions" (files named by GITHUB_OUTPUT, GITHUB_STATE,
// GITHUB_PATH, GITHUB_STEP_SUMMARY; `::error::` with %25 %0D %0A; `::stop-commands::`) and "Metadata
// syntax" (INPUT_*: upper case, spaces as `_`).

const crypto = require('node:crypto');
const fs = require('node:fs');

/** What the user can put right; its message is all that is printed. */
class ActionError extends Error {}

/** The value of an input, without white space around it. */
function input(name) {
  return (process.env[`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`] ?? '').trim();
}

/** The input, if it has this form; else an error that says what `form` is. */
function checkedInput(name, pattern, form) {
  const value = input(name);
  if (!pattern.test(value)) {
    throw new ActionError(`input ${name}: ${JSON.stringify(value)} is not ${form}`);
  }
  return value;
}

/** Record a value for the post step. It is on the disk when this returns. */
function saveState(name, value) {
  appendEntry('GITHUB_STATE', name, value);
}

/** What the main step saved, or an empty text. */
function savedState(name) {
  return process.env[`STATE_${name}`] ?? '';
}

/** Set an output of the step. */
function setOutput(name, value) {
  appendEntry('GITHUB_OUTPUT', name, value);
}

/** Let later steps find the programs of `folder`. */
function addPath(folder) {
  appendText('GITHUB_PATH', `${folder}\n`);
}

/** Add Markdown to the summary of the job. */
function addSummary(markdown) {
  appendText('GITHUB_STEP_SUMMARY', `${markdown}\n`);
}

/** A message that GitHub shows with the run; `level` is error, warning or notice. */
function annotate(level, message) {
  const text = message.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  process.stdout.write(`::${level} title=ccgpu::${text}\n`);
}

/** A line of the log. It cannot be taken for a workflow command. */
function say(message) {
  process.stdout.write(`ccgpu: ${message.replaceAll(/[\r\n]+/g, ' ')}\n`);
}

/** Switch workflow commands off, as other programs print; returns what switches them on again. */
function pauseCommands() {
  const token = crypto.randomUUID();
  process.stdout.write(`::stop-commands::${token}\n`);
  return () => process.stdout.write(`\n::${token}::\n`);
}

function appendEntry(variable, name, value) {
  const end = `end-${crypto.randomUUID()}`; // no value contains it
  appendText(variable, `${name}<<${end}\n${value}\n${end}\n`);
}

function appendText(variable, text) {
  const path = process.env[variable];
  if (!path) {
    throw new ActionError(`${variable} is not set: this runs in a job of GitHub Actions only`);
  }
  const file = fs.openSync(path, 'a');
  try {
    fs.writeFileSync(file, text);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

module.exports = {
  ActionError, addPath, addSummary, annotate, checkedInput, input, pauseCommands, saveState, savedState, say,
  setOutput,
};
