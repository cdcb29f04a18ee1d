// A stand-in for the proxy process: speaks the messages, mines nothing. What it does is chosen by the pool user of its configuration.
import { writeFileSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';

const config = JSON.parse(process.env.WEIGHBRIDGE_CONFIG);
const mode = Object.values(config.pools)[0].user;
const uuid = crypto.randomUUID();
const startedMs = Date.now();
let machines = 0;
const histogram = { bounds: [0.001, 0.01], counts: [1, 2, 3], sumSeconds: 0.5 };

function snapshot() {
  const names = ['connects', 'resumptions', 'downstreamMessages', 'upstreamMessages', 'sharesAnsweredTrue', 'unjournaledShares', 'validationSamples', 'validationMismatches', 'cappedShares', 'shedShares', 'blockCandidates', 'jobs', 'jobsRefused'];
  return {
    process: uuid,
    pid: process.pid,
    version: '0',
    startedMs,
    sessions: 2,
    sessionsByGroup: { 'north\tacme': 2 },
    links: [{ link: 1, pool: 'main', url: 'stratum+tcp://127.0.0.1:1', state: 'live', sessions: 2, difficulty: '16', extranonce1: '00', jobAgeMs: 1000, trouble: '', troubleWhy: '', pending: 0, reconnects: 0, lastError: '' }],
    splits: [],
    counters: Object.fromEntries(names.map((name) => [name, name === 'connects' ? 7 : 0])),
    closes: { idle: 1 },
    fsync: histogram,
    replies: histogram,
    measures: { roundTrips: { main: histogram }, fanout: histogram, reconnects: { main: 0 }, failover: {}, duplicateHashes: 0, furtherPlanes: 1 },
    vitals: { residentBytes: 1e8, cpuSeconds: 0.5, loop: histogram },
    journal: { state: 'open', segment: 's', writtenBytes: 1, waitingShares: 0, freeBytes: 1e12 },
  };
}

appendFileSync(join(config.data, 'proxy-starts'), `${process.pid}\n`);
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  if (message.type === 'machines') {
    machines += 1;
    const machine = { worker: 'acme.1', site: 'north', lessee: 'acme', leases: ['acme-lb'], address: '127.0.0.1:5', firmware: 'f/1', exponent: 4, pool: 'main', link: 1, process: 1, connectedMs: 5, lastShareMs: startedMs, windowMs: 60000, accepted: [[4, 30]], rejects: { stale: machines }, acceptedTotal: 30 };
    process.send({ type: 'machines', request: message.request, machines: [machine] });
  }
  if (message.type === 'drain') process.send({ type: 'drained' });
  if (message.type === 'hand-over') process.send({ type: 'handed-over', request: message.request });
  if (message.type === 'outcome') process.send({ type: 'configured', request: message.request, outcome: { rerouted: 2, leaving: 1 } });
  if (message.type === 'stop' && mode !== 'deaf') {
    writeFileSync(join(config.data, 'proxy-stopped'), String(process.hrtime.bigint()));
    process.exit(0);
  }
});

if (mode === 'fatal') process.send({ type: 'fatal', sentence: 'The address 0.0.0.0:3333 of site north is in use.' });
else if (mode === 'crash') process.exit(3);
else if (mode !== 'mute') {
  process.send({ type: 'snapshot', snapshot: snapshot() });
  process.send({ type: 'listening', addresses: [{ site: 'north', address: '127.0.0.1:3333' }] });
}
