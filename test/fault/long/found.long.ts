/** Rounds that once broke what is always true, each with the seed that drew it and what was wrong. */
import { describe, expect, it } from 'vitest';
import { playRound, type Plan } from '../rounds.ts';

const FOUND: Readonly<Record<string, Plan>> = {
  'seed 1035: a job that came while a new segment was being made was missing to its shares': {
    options: { topology: 'single', hosts: 1, seed: 1035, machines: 18 },
    steps: [
      { after: 58, redis: 'everything in one server is deleted', host: { name: 'the disk is full', site: 0 } },
      { after: 51, host: { name: 'the accountant is killed', site: 0 } },
    ],
  },
  'seed 1036: verdicts of shares that a full disk did not take came after it had room again': {
    options: { topology: 'cluster', hosts: 2, seed: 1036, machines: 13 },
    steps: [
      { after: 22, host: { name: 'everything stops dead and the journal is cut beyond its last durable marker', site: 1 } },
      { after: 49, redis: 'a master is lost', host: { name: 'the disk is full', site: 0 } },
    ],
  },
};

describe('rounds that failed once', () => {
  it.each(Object.entries(FOUND))('%s', async (_, plan) => expect(await playRound(plan)).toBeUndefined());
});
