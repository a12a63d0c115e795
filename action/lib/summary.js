'use strict';
// What the summary of the job says about the VM and the verdict, as Markdown.

/** Text that Markdown and HTML show as it is: each character that could mean anything is a reference. */
function literal(text) {
  return String(text).replaceAll(/[^A-Za-z0-9 ,]/gu, (character) => `&#${character.codePointAt(0)};`);
}

/** A table with a row for each pair. Values are Markdown. */
function table(rows) {
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`), ''].join('\n');
}

/** The page of the run on which its artifacts are. */
function artifactsPage() {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = process.env;
  return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}#artifacts`;
}

/** The verdict (`ccgpu.attest/1`) on the VM of this name, and where its report is. */
function verdictSummary(name, verdict) {
  const rows = [
    ['verdict', `**${literal(verdict.verdict)}**${verdict.simulated ? ' (simulated: this proves nothing)' : ''}`],
    ['policy', literal(verdict.policy)],
    ['at', literal(verdict.at)],
    ['reasons', verdict.reasons.length ? verdict.reasons.map(reasonText).join('<br>') : 'none against it'],
    ['not proven', verdict.not_proven.map(literal).join('<br>')],
    ['report', `[ccgpu-report.html among the artifacts of this run](${artifactsPage()})`],
  ];
  return `### Confidential GPU VM ${literal(name)}\n\n${table(rows)}`;
}

function reasonText(reason) {
  return literal(typeof reason === 'string' ? reason : Object.values(reason).filter(Boolean).join(': '));
}

module.exports = { literal, table, verdictSummary };
