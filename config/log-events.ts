/** Every event that is logged: its level and what it means. docs/logs.md is generated from this list. */

export const LOG_EVENTS = {
  // Starting and stopping.
  listening: ['info', 'Machines of a site can connect at `address`.'],
  'listener not opened again': ['error', 'A proxy process that had let go of a listener could not take it up again: restart it.'],
  pool: ['info', 'A pool as it is configured; never with its password.'],
  serving: ['info', '/metrics is at `http`, journals and ledger are in `data`.'],
  stopping: ['info', 'Told to stop.'],
  stopped: ['info', 'All processes have ended.'],
  'stop failed': ['error', 'A proxy process could not close its journal; what it answered is durable all the same.'],

  // Our own processes.
  'child ended': ['error', 'A process ended unasked and is started again; `msg` says how it ended and after how long.'],
  'child failed': ['error', 'A process says why it cannot go on; it is tried again.'],
  'child killed': ['warn', 'A process did not end in time at a stop and was killed. Nothing that was answered is lost.'],
  'process replaced': ['info', 'A new proxy process listens; the machines of the old one are moved to it over `overMs`.'],
  'configuration changed': ['info', 'A reload: what changed, or in a proxy process how many machines work by another route (`rerouted`) or have to leave (`leaving`).'],
  'configuration refused': ['error', 'A reload changed nothing, because the file has a problem or asks for what needs a new start; `msg` says what.'],
  'unknown message': ['warn', 'Processes of different versions run together: restart the instance.'],

  // Pools and links.
  'waiting for pools': ['info', 'No pool has been met before: machines are taken once one of every site has answered, so that they get the right extranonce layout.'],
  'no pool answered': ['warn', 'None did: machines are taken with the default layout and the configured version mask.'],
  'link open': ['info', 'A connection to a pool stands; it has no work yet.'],
  'pool live': ['info', 'The first work of a link has come: machines can be sent to it.'],
  'link ended': ['warn', 'A connection to a pool ended, for `reason`; the next attempt is in `retryMs`.'],
  'link closed': ['info', 'A connection that was not needed any more, or whose end we wanted.'],
  'pool sent what cannot be used': ['warn', 'Lines of a pool that are no Stratum; logged at the 1st, 10th, 100th of a link.'],
  'pool in trouble': ['warn', 'A pool is connected and yet not to be trusted with work, for `why`; machines go to the next one.'],
  'worker name refused by pool': ['warn', 'A pool with `identity: passthrough` does not take a name; its shares go under the account of the link. The first 20 are logged.'],
  'pool well again': ['info', 'It is trusted again.'],
  'message from pool': ['info', 'client.show_message, verbatim.'],
  'reconnect refused': ['warn', 'A pool asked to reconnect to another domain. It is not followed: that is how hash rate is stolen.'],
  'version convention of pool': ['info', "Learnt from the pool's verdicts: how it puts version bits together."],
  'extranonces not noted': ['error', 'Which extranonce1 a pool gave could not be written: should it give the same to another process or after a restart, a header might count twice there, which `weighbridge audit` finds. Look at the disk.'],
  'pools not remembered': ['warn', 'What was learnt of pools could not be written; after a restart it is learnt again.'],

  // Machines.
  'name refused': ['info', 'A machine asked for a name that it cannot have, for `why`; at most three a session.'],
  'machine refused throughout': ['warn', 'The first twenty shares of a machine all missed their target: `coinbaseBytes` against `coinbaseBytesMax`, what its make takes where that is known; else try one of its shares with `weighbridge explain`.'],
  'sessions moved': ['info', 'Machines were moved to another link by a plain notify, without disconnecting them.'],
  'sessions moved to keep a split': ['info', 'The same, because delivered work had left the weights of a split.'],
  'splits not remembered': ['warn', 'How far the splits had come could not be written; after a restart they begin anew.'],

  // Shares and the journal.
  'block candidate': ['warn', 'A share that meets the target of the network, whole, so that it can be completed by hand.'],
  'validation mismatch': ['error', 'bitcoinjs-lib and the fast kernel disagree about a share: run `weighbridge audit` and report it.'],
  'journal problem': ['error', 'The journal cannot be written or closed; shares go unjournaled until it can. Look at the disk.'],
  'unjournaled inherited': ['warn', 'A process that is gone left unjournaled shares; this one admits them.'],
  'metrics not kept': ['error', 'What /metrics has shown last cannot be written; after a crash counters could go back.'],
  'ledger set aside': ['warn', 'The ledger was made by an earlier version: it is kept beside a new one, which is folded from the journals.'],
  'inventory recorded': ['info', 'The inventory is another one than before: its machines hold from now on, and this version is kept under its `digest`.'],
  'inventory not recorded': ['warn', 'The inventory cannot be read, is not right, or could not be written down; the one on record holds on, and it is tried again every minute.'],
  'journals not tidied': ['warn', 'Old journals could not be compressed or deleted; they stay as they are and it is tried again.'],

  // Debug lines, for machines by name: `weighbridge log --debug GLOB`.
  'debug on': ['info', 'Lines of machines whose name matches `worker` are logged for `seconds`.'],
  'debug off': ['info', 'They are not any more.'],
  heard: ['debug', 'A line of a machine; passwords are hidden.'],
  told: ['debug', 'A line to a machine.'],
  'share judged': ['debug', 'Our own verdict of a share, and whether it was forwarded.'],
  'pool verdict': ['debug', "The pool's verdict of a share, verbatim."],
  'session closed': ['debug', 'The connection of a watched machine was closed by us, for `reason`.'],
  'debug lines dropped': ['debug', 'More than 500 in a second: so many were left out.'],
} as const satisfies Readonly<Record<string, readonly [level: 'debug' | 'info' | 'warn' | 'error', meaning: string]>>;

export type LogEvent = keyof typeof LOG_EVENTS;

const HEAD = `# Logs

One JSON object a line on standard output, or with \`--pretty\` lines for people. Generated from \`config/log-events.ts\`; do not edit by hand.

| field | what it is |
|---|---|
| \`level\` | \`debug\`, \`info\`, \`warn\`: worth a look, \`error\`: needs a person |
| \`time\` | ISO 8601, UTC, to the millisecond |
| \`process\` | \`supervisor\`, \`proxy\`, \`accountant\` |
| \`event\` | one of the events below; the name stays the same from version to version |
| \`msg\` | a sentence, where there is more to say |

What else a line has is about its event: \`pool\`, \`site\`, \`worker\`, \`reason\` … Shares are not logged: they are in the journal, and what is
measured is in [metrics](metrics.md).

No line holds a password: not those of pools, of Redis or of machines. A test runs the product with known ones and searches everything that it writes.

## Debug lines for some machines

\`\`\`sh
weighbridge log --config farm.yaml --debug "acme.rack07-*" --for 10m
weighbridge log --config farm.yaml --off
\`\`\`

switches on, in the running instance, lines about the machines whose worker name matches: each line they send and are sent, word for word
but for passwords and cut at 2048 characters, and what became of their shares. It ends by itself after the time given (10 minutes
unless said otherwise, a day at most), with \`--off\`, and with the process. At most 500 such lines are written in a second by each process.

## Events
`;

/** docs/logs.md as it must read. */
export function logsMarkdown(): string {
  const rows = Object.entries(LOG_EVENTS).map(([event, [level, meaning]]) => `| \`${event}\` | ${level} | ${meaning} |`);
  return [HEAD, '| event | level | meaning |', '|---|---|---|', ...rows, ''].join('\n');
}
