/** What is wrong with a running instance, in sentences, and whether it is ready. Decides nothing else. */
import type { ProcessState } from '../../metrics/catalogue.ts';
import type { AccountantSnapshot, ProxySnapshot } from './messages.ts';
import { PROCESS_SILENT_MS } from './slot.ts';
import type { InstanceStatus } from './status.ts';

/** Folding a second's records takes milliseconds; an accountant this far behind does not keep up. */
const LAG_MS_MAX = 60_000;
/** Figures by worker wait 15 s for their publication when all is well. */
const SHARED_LAG_MS_MAX = 60_000;

interface ChildState {
  readonly running: boolean;
  readonly ageMs: number;
  readonly looping: boolean;
}

/** What is judged of a place for a proxy process. */
interface JudgedProcess {
  readonly number: number;
  readonly state: ProcessState;
  readonly snapshot: ProxySnapshot | undefined;
  readonly child: { readonly ageMs: number };
}

export interface HealthInputs {
  readonly processes: readonly JudgedProcess[];
  readonly accountant: AccountantSnapshot | undefined;
  readonly accountantChild: ChildState;
  readonly freeBytesMin: number;
}

/** Everything that is wrong, most urgent first; empty when all is well. */
export function findProblems(inputs: HealthInputs): string[] {
  const { processes } = inputs;
  const several = new Set(processes.map(({ number }) => number)).size > 1;
  const proxies = processes.flatMap((process) => processProblems(process, several ? `Proxy process ${process.number}` : 'The proxy process', inputs.freeBytesMin));
  return [...new Set(proxies), ...accountantProblems(inputs)];
}

function processProblems({ number, state, snapshot, child }: JudgedProcess, who: string, freeBytesMin: number): string[] {
  if (state === 'looping') return [`${who} crashes again and again; its log lines say why.`];
  if (state === 'down') return [`${who} is down and is being started again.`];
  if (state === 'drained') return [`${who} is drained; \`weighbridge restart --process ${number}\` brings it back.`];
  // The first snapshot comes when it listens.
  if (snapshot === undefined) return child.ageMs < PROCESS_SILENT_MS ? [] : [`${who} has not reported for ${PROCESS_SILENT_MS / 1000} s.`];
  const problems: string[] = [];
  const { journal } = snapshot;
  if (journal.state === 'failed') problems.push('The journal cannot be written: shares are answered but counted as unjournaled.');
  if (journal.freeBytes < freeBytesMin) problems.push(`The journal's disk has ${journal.freeBytes} bytes free, less than journal.freeMin (${freeBytesMin}).`);
  if (snapshot.counters.validationMismatches > 0) problems.push(`${snapshot.counters.validationMismatches} sampled shares were judged differently by bitcoinjs-lib.`);
  if (!snapshot.links.some((link) => link.state === 'live')) {
    const why = snapshot.links.map((link) => `${link.pool}: ${link.lastError === '' ? link.state : link.lastError}`).join('; ');
    problems.push(`No pool is connected${why === '' ? '' : ` (${why})`}.`);
  }
  const troubles = snapshot.links.filter((link) => link.state === 'live' && link.trouble !== '').map((link) => `Pool ${link.pool} is avoided: ${link.troubleWhy}.`);
  problems.push(...new Set(troubles));
  return problems;
}

function accountantProblems({ accountant, accountantChild }: HealthInputs): string[] {
  if (accountantChild.looping) return ['The accountant crashes again and again; mining goes on and the journal keeps what it has not counted.'];
  if (!accountantChild.running) return ['The accountant is down and is being started again.'];
  if (accountant === undefined) return ['The accountant does not answer.'];
  const problems: string[] = [];
  if (accountant.problem !== '') problems.push(accountant.problem);
  if (!accountant.caughtUp) problems.push(`The accountant still folds what was journaled before it started (${accountant.lagBytes} bytes to go).`);
  else if (accountant.lagMs > LAG_MS_MAX) problems.push(`The ledger is ${Math.round(accountant.lagMs / 1000)} s behind the journal.`);
  const { redis } = accountant;
  if (redis !== undefined && redis.problem !== '') problems.push(redis.problem);
  else if (redis !== undefined && redis.lagSeconds * 1000 > SHARED_LAG_MS_MAX) problems.push(`The shared ledger is ${Math.round(redis.lagSeconds)} s behind this host's.`);
  if (accountant.corruptRanges > 0) problems.push(`${accountant.corruptRanges} corrupt ranges in the journal; \`weighbridge audit\` names them.`);
  return problems;
}

/** '' when machines are served: listening, a pool connected, the ledger caught up; else what is missing. */
export function isReady(status: InstanceStatus): string {
  if (status.listening.length === 0) return 'No listener is open.';
  if (status.proxy === undefined) return 'No proxy process reports.';
  if (!status.proxy.links.some((link) => link.state === 'live')) return 'No pool is connected.';
  if (status.accountant === undefined) return 'The accountant does not answer.';
  return status.accountant.caughtUp ? '' : 'The accountant has not caught up with the journal.';
}
