'use strict';
// Creates and attests the VM of a job, and deletes it.

const crypto = require('node:crypto');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

const { run } = require('./programs');
const { ActionError, addSummary, annotate, checkedInput, input, say, setOutput } = require('./runner');
const { verdictSummary } = require('./summary');

// Exit codes of ccgpu: docs/errors.md.
const REJECTED = 9;
const MEANINGS = {
  3: 'the spec file is invalid',
  5: 'the quota does not suffice',
  6: 'Azure has no capacity',
  7: 'the create failed, and something of it is left',
  8: 'there is no evidence to judge',
  [REJECTED]: 'the evidence was rejected',
  10: 'the VM does not become ready',
  11: 'the time was up',
};

/** A name that no other deployment has: prefix, run, attempt, and 32 random bits. */
function newName() {
  const prefix = checkedInput('prefix', /^[a-z][a-z0-9-]{0,23}$/, '1 to 24 of a-z, 0-9 and -, a letter first');
  const { GITHUB_RUN_ID: number, GITHUB_RUN_ATTEMPT: attempt } = process.env;
  return [prefix, number, attempt, crypto.randomBytes(4).toString('hex')].filter(Boolean).join('-');
}

/** The words of `ccgpu create` after the name. A value cannot be taken for an option: it stands behind `=`. */
function createOptions() {
  const ttl = checkedInput('ttl', /^([0-9]+[smhd])+$/, 'a duration such as 4h; the lease cannot be left out');
  const fields = input('set').split('\n').map((line) => line.trim()).filter(Boolean);
  const options = [`--file=${path.resolve(input('spec'))}`, `--ttl=${ttl}`, '--no-input', '--yes'];
  return [...options, ...policyOption(), ...fields.map((field) => `--set=${field}`)];
}

function policyOption() {
  return input('policy') ? [`--policy=${input('policy')}`] : [];
}

/** Create and attest the VM, and set the outputs. Raises ActionError unless the evidence is accepted. */
async function createAttested(ccgpu, name, options, folder) {
  const { code } = await run(ccgpu, ['create', name, ...options]);
  if (code !== 0 && code !== REJECTED) throw new ActionError(failure('create', code));
  await publishAccess(ccgpu, name);
  await attest(ccgpu, name, folder);
  if (code !== 0) throw new ActionError(failure('create', code));
}

async function publishAccess(ccgpu, name) {
  const { code, output } = await run(ccgpu, ['show', name, '-o', 'json'], { capture: true });
  if (code !== 0) throw new ActionError(failure('show', code));
  const shown = JSON.parse(output);
  setOutput('address', shown.public_ip ?? shown.private_ip ?? '');
  setOutput('ssh', `${ccgpu} ssh ${name}`);
}

async function attest(ccgpu, name, folder) {
  const bundle = path.join(folder, 'ccgpu-bundle.json');
  const report = path.join(folder, 'ccgpu-report.html');
  const files = [`--save=${bundle}`, `--report=${report}`];
  const words = ['attest', name, ...policyOption(), ...files, '-o', 'json'];
  const { code, output } = await run(ccgpu, words, { capture: true });
  const verdict = output.trim() ? JSON.parse(output) : null;
  if (verdict) {
    setOutput('verdict', verdict.verdict);
    setOutput('bundle', bundle);
    setOutput('report', report);
    addSummary(verdictSummary(name, verdict));
  }
  if (code !== 0 || verdict?.verdict !== 'accepted') throw new ActionError(failure('attest', code));
}

function failure(command, code) {
  const meaning = MEANINGS[code] ? `: ${MEANINGS[code]}` : '';
  return `ccgpu ${command} ended with ${code}${meaning}`;
}

/** Delete the deployment: try as often as the inputs say. Raises ActionError if it may still be there. */
async function removeDeployment(ccgpu, name) {
  const attempts = wholeNumber('delete-attempts', 5);
  const seconds = wholeNumber('delete-pause', 10);
  let problem = '';
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (attempt) await pause(seconds * 1000 * 2 ** (attempt - 1));
    try {
      const { code } = await run(ccgpu, ['delete', name, '--yes', '--no-input']);
      if (code === 0) return;
      problem = failure('delete', code);
    } catch (error) {
      problem = error.message;
    }
    annotate('warning', `attempt ${attempt + 1} of ${attempts} to delete ${name}: ${problem}`);
  }
  throw new ActionError(`${name} may still be there and cost money: ${problem}. `
    + `Run \`ccgpu delete ${name} --yes\`; else gc deletes it when its lease has ended.`);
}

/** An input that must not stop a deletion: what cannot be read counts as the default. */
function wholeNumber(name, otherwise) {
  const value = input(name);
  if (/^[0-9]{1,3}$/.test(value) && (Number(value) > 0 || name === 'delete-pause')) return Number(value);
  if (value) say(`input ${name}: not a number of at most 3 digits; ${otherwise} is used`);
  return otherwise;
}

module.exports = { createAttested, createOptions, newName, removeDeployment };
