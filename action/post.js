'use strict';
// Deletes the VM of this job, whatever became of main.js. Fails if it may still be there.

const fs = require('node:fs');
const path = require('node:path');

const { removeDeployment } = require('./lib/deployment');
const { install } = require('./lib/install');
const { ignoreSignals } = require('./lib/programs');
const { addSummary, annotate, savedState, say } = require('./lib/runner');
const { literal } = require('./lib/summary');

async function post() {
  const name = savedState('name');
  if (!name) {
    say('nothing was created');
    return;
  }
  await removeDeployment(await executable(name), name);
  summarize(`Confidential GPU VM ${literal(name)}: deleted, nothing is left.`);
}

/** The ccgpu of main.js; if a step of the job has removed it, it is installed again. */
async function executable(name) {
  const ccgpu = savedState('executable');
  if (fs.existsSync(ccgpu)) return ccgpu;
  annotate('warning', `${ccgpu} is gone: installing ccgpu again, to delete ${name}`);
  return install(path.join(process.env.RUNNER_TEMP || '.', `ccgpu-${name}-post`));
}

/** The summary is of no use to the deletion: no problem with it may count. */
function summarize(markdown) {
  try {
    addSummary(markdown);
  } catch (error) {
    annotate('warning', `the summary was not written: ${error.message}`);
  }
}

ignoreSignals();
post().catch((error) => {
  annotate('error', `the VM was not deleted: ${error.message}`);
  summarize(`**Not deleted**: ${literal(savedState('name'))}. ${literal(error.message)}`);
  process.exitCode = 1;
});
