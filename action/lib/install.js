'use strict';
// Installs ccgpu in an environment of its own: every dependency pinned by hash, ccgpu by path or commit.

const fs = require('node:fs');
const path = require('node:path');

const { mustRun } = require('./programs');
const { ActionError, checkedInput, input, say } = require('./runner');

const REPOSITORY_ROOT = path.resolve(__dirname, '..', '..');
const PIP = ['-I', '-m', 'pip', '--disable-pip-version-check', '--no-input', '-qq'];
const FROM_LOCK = ['install', '--no-deps', '--require-hashes', '--only-binary', ':all:', '-r'];
// What pip and git need. Sign-in variables and the token of the job's OIDC are not among it.
const NEEDED = /^(PATH|HOME|LANG|LC_\w+|TMPDIR|PIP_\w+|(HTTPS?|NO|ALL)_PROXY|SSL_CERT_\w+|REQUESTS_CA_BUNDLE)$/i;

/**
 * The path of `ccgpu`, installed below `folder` as the inputs say.
 *
 * Raises ActionError if the inputs contradict each other, or if anything does not match its pin.
 */
async function install(folder) {
  if (input('executable')) return existing(path.resolve(input('executable')));
  const chosen = ['wheel', 'ref'].filter((name) => input(name));
  if (chosen.length > 1) throw new ActionError('inputs wheel and ref: give one of them');
  await requirePython();
  fs.mkdirSync(folder, { recursive: true });
  const { wheel, lock } = input('wheel') ? givenWheel() : await builtWheel(await source(folder), folder);
  const python = await environment(path.join(folder, 'env'), lock);
  await pip(python, ['install', '--no-deps', '--no-index', wheel]);
  await pip(python, ['check']);
  say(`installed ${path.basename(wheel)}`);
  return path.join(folder, 'env', 'bin', 'ccgpu');
}

function existing(file, what = 'executable') {
  if (!fs.existsSync(file)) throw new ActionError(`input ${what}: ${file} does not exist`);
  return file;
}

function givenWheel() {
  if (!input('lock')) throw new ActionError('input lock: name requirements.lock of the same release as the wheel');
  const wheel = existing(path.resolve(input('wheel')), 'wheel');
  if (!wheel.endsWith('.whl')) throw new ActionError(`input wheel: ${wheel} is not the path of a wheel`);
  return { wheel, lock: existing(path.resolve(input('lock')), 'lock') };
}

/** The folder with the source: this action's own commit, or that of the input `ref`. */
async function source(folder) {
  if (!input('ref')) return REPOSITORY_ROOT;
  const commit = checkedInput('ref', /^[0-9a-f]{40}$/, 'a full commit id (40 hex digits): tags can be moved');
  const from = repository();
  const clone = path.join(folder, 'source');
  const git = (...words) => mustRun('git', ['-C', clone, ...words], { env: neededEnvironment() });
  fs.mkdirSync(clone);
  await git('init', '-q');
  await git('fetch', '-q', '--depth=1', '--', from, commit);
  await git('checkout', '-q', '--detach', commit);
  return clone;
}

function repository() {
  const name = input('repository') || process.env.GITHUB_ACTION_REPOSITORY || process.env.GITHUB_REPOSITORY || '';
  if (!/^[\w.-]+\/[\w.-]+$/.test(name)) throw new ActionError(`input repository: ${name} is not OWNER/NAME`);
  return `${process.env.GITHUB_SERVER_URL || 'https://github.com'}/${name}.git`;
}

/** A wheel of the source, built by the locked build backend alone, and the lock beside that source. */
async function builtWheel(folder, work) {
  const wheels = path.join(work, 'wheels');
  const python = await environment(path.join(work, 'build'), path.join(folder, 'requirements-build.lock'));
  const build = ['wheel', '--no-deps', '--no-index', '--no-build-isolation', '--wheel-dir', wheels];
  await pip(python, [...build, folder]);
  const [wheel] = fs.readdirSync(wheels);
  return { wheel: path.join(wheels, wheel), lock: path.join(folder, 'requirements.lock') };
}

/** The Python of a new virtual environment with what the lock pins. */
async function environment(folder, lock) {
  await mustRun(input('python'), ['-I', '-m', 'venv', '--clear', folder], { env: neededEnvironment() });
  const python = path.join(folder, 'bin', 'python');
  await pip(python, [...FROM_LOCK, lock]);
  return python;
}

async function requirePython() {
  const python = input('python');
  const test = 'import sys; sys.exit(sys.version_info < (3, 11))';
  try {
    await mustRun(python, ['-I', '-c', test], { env: neededEnvironment() });
  } catch (error) {
    if (error.constructor !== ActionError) throw error;
    throw new ActionError(`input python: ${python} is not a Python 3.11 or newer (actions/setup-python installs one)`);
  }
}

function pip(python, words) {
  return mustRun(python, [...PIP, ...words], { env: neededEnvironment() });
}

function neededEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => NEEDED.test(name)));
}

module.exports = { install };
