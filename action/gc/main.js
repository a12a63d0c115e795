'use strict';
// Deletes each deployment whose lease has ended. For a schedule: it also finds what died with its runner.

const path = require('node:path');

const { install } = require('../lib/install');
const { passSignalsOn, run } = require('../lib/programs');
const { ActionError, addSummary, annotate, setOutput } = require('../lib/runner');
const { literal, table } = require('../lib/summary');

async function main() {
  const ccgpu = await install(path.join(process.env.RUNNER_TEMP || '.', 'ccgpu-gc'));
  const { code, output } = await run(ccgpu, ['gc', '--yes', '-o', 'json'], { capture: true });
  if (output.trim()) report(JSON.parse(output));
  if (code !== 0) throw new ActionError(`ccgpu gc ended with ${code}: something may still be there and cost money`);
}

function report(document) {
  setOutput('document', JSON.stringify(document));
  const rows = document.deployments.map((one) => [
    literal(one.name),
    literal([one.why, one.action, one.reason].filter(Boolean).join(', ')),
  ]);
  addSummary(rows.length ? `### Expired confidential GPU VMs\n\n${table(rows)}` : 'No confidential GPU VM has expired.');
}

passSignalsOn();
main().catch((error) => {
  annotate('error', error instanceof ActionError ? error.message : error.stack);
  process.exitCode = 1;
});
