'use strict';
// Installs ccgpu, creates the VM of this job and attests it. post.js deletes it.
//
// What must stay true: the name is in the state file before anything is created.

const fs = require('node:fs');
const path = require('node:path');

const { createAttested, createOptions, newName } = require('./lib/deployment');
const { install } = require('./lib/install');
const { passSignalsOn } = require('./lib/programs');
const { ActionError, addPath, annotate, saveState, setOutput } = require('./lib/runner');

async function main() {
  const name = newName();
  const options = createOptions();
  const folder = path.join(process.env.RUNNER_TEMP || '.', `ccgpu-${name}`);
  fs.mkdirSync(folder, { recursive: true });
  const ccgpu = await install(folder);
  addPath(path.dirname(ccgpu));
  saveState('executable', ccgpu);
  saveState('name', name);
  setOutput('name', name);
  await createAttested(ccgpu, name, options, folder);
}

passSignalsOn();
main().catch((error) => {
  annotate('error', error instanceof ActionError ? error.message : error.stack);
  process.exitCode = 1;
});
