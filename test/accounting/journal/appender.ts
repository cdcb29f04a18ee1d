/** A process that appends shares to a journal until it is killed and prints each sequence it was told is durable. */
import { writeSync } from 'node:fs';
import { argv, stdout } from 'node:process';
import { JournalWriter } from '../../../accounting/journal/writer.ts';
import { realWorld } from '../../../config/world.ts';

const [, , directory = '', durability = 'fsync'] = argv;

const writer = await JournalWriter.open({
  directory,
  world: realWorld,
  durability: durability === 'os' ? 'os' : 'fsync',
  segmentBytes: 20_000,
  process: realWorld.random.uuid(),
  host: 'test',
  live: () => [],
  onDurable: (sequence) => void writeSync(stdout.fd, `${sequence}\n`),
  onUnjournaled: (from, to) => {
    throw new Error(`${from} to ${to} were not journaled`);
  },
  onProblem: (sentence) => {
    throw new Error(sentence);
  },
});

let share = 0;
setInterval(() => {
  for (let each = 0; each < 40; each++) {
    share += 1;
    writer.append({
      type: 'share',
      share,
      bind: 1,
      job: 1,
      exponent: 10,
      verdict: 'accepted',
      forwarding: 'forwarded',
      block: false,
      extranonce2: Uint8Array.of(1, 2, 3, 4),
      ntime: share,
      nonce: share,
      version: 0x20000000,
      atMs: 1_700_000_000_000 + share,
    });
  }
}, 1);
