// A stand-in for the accountant: answers with fixed totals. The pool user of its configuration chooses what it does.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const config = JSON.parse(process.env.WEIGHBRIDGE_CONFIG);
const { user, password } = Object.values(config.pools)[0];
const state = {
  pid: process.pid,
  caughtUp: user !== 'behind',
  opens: 1,
  leases: [],
  lagBytes: 0,
  lagMs: 0,
  foldedRecords: 12,
  corruptRanges: 0,
  unjournaledShares: 0,
  problem: password === '' ? '' : 'saw a password',
  vitals: { residentBytes: 1e8, cpuSeconds: 0.5, loop: { bounds: [0.001], counts: [3, 0], sumSeconds: 0 } },
};
const rows = {
  delivered: [{ site: 'north', lessee: 'acme', pool: 'main', verdict: 'accepted', exponent: 4, count: 30 }],
  credited: [{ pool: 'main', verdict: 'accepted', reason: 'none', difficulty: '16.5', count: 2 }],
};

const none = { from: 0, names: [], columns: [] };
const series = {
  book: 'its only one',
  tables: {
    delivered: { from: 0, names: [['north', 'acme', 'accepted']], columns: [[30], [480]] },
    worth: none,
    leaseDelivered: none,
    leaseWorth: none,
    credited: { from: 0, names: [['main', 'accepted', 'none']], columns: [[2], [33]] },
  },
};

process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  if (message.type === 'snapshot' && user !== 'silent') process.send({ type: 'snapshot', request: message.request, snapshot: { ...state, ...rows } });
  if (message.type === 'metrics' && user !== 'silent') process.send({ type: 'metrics', request: message.request, metrics: { ...state, series } });
  if (message.type === 'stop') {
    writeFileSync(join(config.data, 'accountant-stopped'), String(process.hrtime.bigint()));
    process.exit(0);
  }
});
process.send({ type: 'ready' });
