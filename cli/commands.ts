/** The list of commands: options, help and the function behind each. */
import { audit } from './audit.ts';
import { check, schema } from './check.ts';
import { demo } from './demo.ts';
import { explain } from './explain.ts';
import { earnings, meters, payments } from './imports.ts';
import type { Io, ExitCode } from './io.ts';
import { keys } from './keys.ts';
import { lease } from './lease.ts';
import { ledger } from './ledger.ts';
import { log } from './log.ts';
import { machines } from './machines.ts';
import type { CommandSpec, OptionSpec, ParsedOptions } from './options.ts';
import { drain, restart } from './processes.ts';
import { rebuild } from './rebuild.ts';
import { reload } from './reload.ts';
import { reconcile } from './reconcile.ts';
import { start } from './start.ts';
import { statement } from './statement.ts';
import { status } from './status.ts';
import { stop } from './stop.ts';
import { verify } from './verify.ts';

export interface DemoOptions {
  readonly dataDir: string;
  readonly seconds?: number;
  readonly http?: string | undefined;
  readonly redis?: string | undefined;
}

/** What the command line may not import itself and is given by its launcher. */
export interface Surroundings {
  readonly demo: (options: DemoOptions) => Promise<void>;
}

export interface Command extends CommandSpec {
  readonly run: (options: ParsedOptions, io: Io, surroundings: Surroundings) => Promise<ExitCode>;
}

const CONFIG: OptionSpec = { type: 'string', value: 'FILE', help: 'Configuration file (YAML).' };
const JSON_OUTPUT: OptionSpec = { type: 'boolean', value: '', help: 'Print JSON; its fields are described in docs/cli.md.' };
const LEASE: OptionSpec = { type: 'string', value: 'ID', help: 'Name of the lease in the configuration.' };
const INSTANCE: Readonly<Record<string, OptionSpec>> = {
  config: { ...CONFIG, help: 'Configuration file of the instance.' },
  data: { type: 'string', value: 'DIR', help: 'Data directory of the instance, instead of --config.' },
};
const OVER: Readonly<Record<string, OptionSpec>> = { over: { type: 'string', value: 'TIME', help: 'Over how long the machines of a process are moved: 0s to 24h. Default: 60s.' } };
const PROCESS: OptionSpec = { type: 'string', value: 'N', help: '' };
const LOCAL: OptionSpec = { type: 'boolean', value: '', help: 'This host alone, where the configuration has a shared ledger.' };
const RANGE: Readonly<Record<string, OptionSpec>> = {
  from: { type: 'string', value: 'TIME', help: 'Beginning: 2026-01-31, 2026-01-31T12:00Z, seconds since 1970, -24h, today, yesterday. All UTC.' },
  to: { type: 'string', value: 'TIME', help: 'End, in the same forms, or now.' },
};

export const COMMANDS: readonly Command[] = [
  {
    name: 'start',
    summary: 'Run the proxy with a configuration.',
    argument: '',
    options: { config: CONFIG, pretty: { type: 'boolean', value: '', help: 'Log lines for people instead of JSON.' } },
    examples: ['weighbridge start --config weighbridge.yaml', 'weighbridge start --config weighbridge.yaml --pretty'],
    notes: 'Runs in the foreground. SIGINT or SIGTERM stops it in less than two seconds; a second one at once.',
    run: start,
  },
  {
    name: 'demo',
    summary: 'Run a simulated pool and fleet through the real proxy, journal and ledger.',
    argument: '',
    options: {
      seconds: { type: 'string', value: 'N', help: 'End after so many seconds. Without it: at Ctrl-C.' },
      data: { type: 'string', value: 'DIR', help: 'Where journals and ledger go. Default: demo-data.' },
      http: { type: 'string', value: 'HOST:PORT', help: 'Address of /metrics. Default: 127.0.0.1:9280, or another port where that is taken.' },
      redis: { type: 'string', value: 'URL', help: 'Also publish the ledger to this Redis, under the prefix demo.' },
    },
    examples: ['weighbridge demo', 'weighbridge demo --seconds 60 --data ./demo-data'],
    notes: 'Needs no configuration and no network. Two sites, three lessees under leases, two pools.',
    run: demo,
  },
  {
    name: 'check',
    summary: 'Check a configuration and report every problem at once.',
    argument: '',
    options: { config: CONFIG, json: JSON_OUTPUT },
    examples: ['weighbridge check --config weighbridge.yaml'],
    notes: 'Exit code 1 when there is a problem.',
    run: check,
  },
  {
    name: 'schema',
    summary: 'Print the JSON schema of the configuration, for editors.',
    argument: '',
    options: {},
    examples: ['weighbridge schema > weighbridge.schema.json'],
    notes: '',
    run: schema,
  },
  {
    name: 'status',
    summary: 'Show a running instance: processes, links, hash rate, journal, problems.',
    argument: '',
    options: { ...INSTANCE, local: LOCAL, json: JSON_OUTPUT },
    examples: ['weighbridge status --config weighbridge.yaml', 'weighbridge status --data demo-data --json'],
    notes: 'Exit code 1 when no instance runs.',
    run: status,
  },
  {
    name: 'machines',
    summary: 'List connected machines, dark ones, or those with the most rejects.',
    argument: '',
    options: {
      ...INSTANCE,
      dark: { type: 'boolean', value: '', help: 'Names seen within 24 hours that had no accepted share in the last 10 minutes.' },
      rejects: { type: 'boolean', value: '', help: 'Highest reject ratio first.' },
      site: { type: 'string', value: 'NAME', help: 'Only machines of this site.' },
      lessee: { type: 'string', value: 'NAME', help: 'Only machines of this lessee.' },
      lease: { type: 'string', value: 'ID', help: 'Only machines under this lease.' },
      local: LOCAL,
      json: JSON_OUTPUT,
    },
    examples: ['weighbridge machines --config weighbridge.yaml --site north', 'weighbridge machines --data demo-data --dark'],
    notes: 'Rates are measured from accepted shares of at most the last 10 minutes, with their 95 % interval.',
    run: machines,
  },
  {
    name: 'ledger',
    summary: 'Print delivered and credited work by site, lessee, lease, worker or pool.',
    argument: '',
    options: {
      ...INSTANCE,
      by: { type: 'string', value: 'site|lessee|lease|worker|pool', help: 'What to group by. Default: site.' },
      ...RANGE,
      step: { type: 'string', value: '1m|1h|1d', help: 'Length of a bucket; by worker from 1h up. Default: 1h.' },
      local: LOCAL,
      json: JSON_OUTPUT,
      csv: { type: 'boolean', value: '', help: 'Print comma-separated values.' },
    },
    examples: ['weighbridge ledger --config weighbridge.yaml --by lessee --from yesterday --to today --step 1h', 'weighbridge ledger --data demo-data --by worker --from -2h --csv'],
    notes: 'Works while the instance is stopped too. Without --from: the last 24 hours.',
    run: ledger,
  },
  {
    name: 'audit',
    summary: 'Recompute the ledger from the journals with bitcoinjs-lib alone and compare.',
    argument: '',
    options: {
      ...INSTANCE,
      ...RANGE,
      also: { type: 'string', value: 'DIR[,DIR]', help: 'Data directories of further hosts: no header may count twice among all of them.' },
      local: { ...LOCAL, help: 'Leave the shared ledger out.' },
      sample: { type: 'string', value: 'N', help: 'Check the proof of work of N shares chosen at random instead of all; the confidence is stated.' },
      json: JSON_OUTPUT,
    },
    examples: ['weighbridge audit --config weighbridge.yaml --from yesterday --to today', 'weighbridge audit --data demo-data --sample 10000'],
    notes: 'Works while the instance is stopped too. Exit code 1 on any difference.',
    run: audit,
  },
  {
    name: 'rebuild',
    summary: 'Make the ledger anew from the journals, and publish it where it is shared.',
    argument: '',
    options: {
      ...INSTANCE,
      local: { ...LOCAL, help: 'Leave the shared ledger out.' },
      force: { type: 'boolean', value: '', help: 'Also when journals of what was counted are gone; the ledger from before is kept beside the new one.' },
      json: JSON_OUTPUT,
    },
    examples: ['weighbridge rebuild --config weighbridge.yaml', 'weighbridge rebuild --data demo-data'],
    notes: 'The instance must be stopped. Redis is only ever added to: what it has in the same or a newer version stays.',
    run: rebuild,
  },
  {
    name: 'lease',
    summary: 'Show leases, and put on record what was stated of them: curtailment, suspension, their end, an amendment.',
    argument: 'list|show|now|check|curtail|grid|suspend|terminate|amend ID',
    options: {
      config: CONFIG,
      data: { type: 'string', value: 'DIR', help: 'Instead of --config: what is on record there; with now, what its running instance measures. amend and check need --config.' },
      lease: LEASE,
      from: { ...RANGE['from']!, help: 'With curtail and suspend: from when no hash rate is owed. With grid: the curtailed hours that the grid paid for. In UTC unless it says otherwise.' },
      to: { ...RANGE['to']!, help: 'With curtail, suspend and grid: until when.' },
      at: { type: 'string', value: 'TIME', help: 'With terminate: the end.' },
      effective: { type: 'string', value: 'TIME', help: 'With amend: from when the terms hold that the configuration has now; a midnight where the lease is.' },
      amount: { type: 'string', value: 'AMOUNT', help: 'With grid: what the grid paid to --by, such as "9500.00 USD"; given again for the same hours, it replaces what was said.' },
      by: { type: 'string', value: 'PARTY', help: 'Who states or asks for it: a party of the lease.' },
      reason: { type: 'string', value: 'TEXT', help: 'Why.' },
      document: { type: 'string', value: 'FILE', help: 'A document that shows it; its name and digest are recorded.' },
      local: LOCAL,
      inventory: { type: 'boolean', value: '', help: 'With amend: not the terms but the inventory as it is now holds from --effective on, a time that is past.' },
      amend: { type: 'boolean', value: '', help: 'With curtail, suspend and terminate: the time is past, and this is an amendment.' },
      json: JSON_OUTPUT,
    },
    examples: [
      'weighbridge lease list --config weighbridge.yaml', 'weighbridge lease now --config weighbridge.yaml', 'weighbridge lease show acme-leaseback --config weighbridge.yaml',
      'weighbridge lease curtail acme-leaseback --from 2026-11-07T14:00Z --to 2026-11-07T22:00Z --by nfx --reason "called off by the grid" --document order.pdf --config weighbridge.yaml',
    ],
    notes: '`show` prints every term, also those that the kind of lease sets, and what was stated; `now` what is contracted, installed, seen and delivered, with 95 % intervals; `check` what is paid and which machines of the inventory are meant now. What is stated goes into the journal, beside a running instance or without one.',
    run: lease,
  },
  {
    name: 'statement',
    summary: 'Draft the statement of a lease for a period, issue it signed, sign it as the counterparty, or dispute it.',
    argument: 'draft|issue|list|countersign|accept|dispute',
    options: {
      config: INSTANCE['config']!,
      data: { type: 'string', value: 'DIR', help: 'With countersign: where the keys of the counterparty are, or will be.' },
      lease: LEASE,
      period: { type: 'string', value: 'PERIOD', help: 'A month such as 2026-11, or a day such as 2026-11-05, in the time zone of the lease.' },
      format: { type: 'string', value: 'json|csv|pdf', help: 'Default: json. A PDF needs --out.' },
      out: { type: 'string', value: 'FILE', help: 'Write to a file instead of the terminal.' },
      correct: { type: 'string', value: 'NUMBER', help: 'With issue: the number of the statement that this one corrects.' },
      reason: { type: 'string', value: 'TEXT', help: 'With --correct and with dispute: why.' },
      number: { type: 'string', value: 'NUMBER', help: 'With dispute: of the statement.' },
      by: { type: 'string', value: 'PARTY', help: 'With countersign and dispute: which party you are, or speak for.' },
      file: { type: 'string', value: 'FILE', help: 'With countersign: the statement. With accept: the countersignature.' },
      local: LOCAL,
    },
    examples: ['weighbridge statement --config weighbridge.yaml --lease acme-leaseback --period 2026-11', 'weighbridge statement issue --config weighbridge.yaml --lease acme-leaseback --period 2026-11 --out november.json', 'weighbridge statement countersign --file november.json --by acme --data our-data --out signed.json', 'weighbridge statement accept --config weighbridge.yaml --lease acme-leaseback --file signed.json'],
    notes: 'The same ledger gives the same draft, byte for byte. Issuing again gives what was issued. countersign runs at the counterparty, with keys of its own in --data; accept keeps what came back.',
    run: statement,
  },
  {
    name: 'earnings',
    summary: 'Import what a pool says it paid, or list what was imported.',
    argument: 'import|list FILE',
    options: { config: CONFIG, json: JSON_OUTPUT },
    examples: ['weighbridge earnings import november.csv --config weighbridge.yaml', 'weighbridge earnings --config weighbridge.yaml'],
    notes: 'A CSV file with the columns pool, account, scheme, earned_from, earned_to, pool_work, gross_sat, fee_sat, net_sat, paid_at, txid, payout_id; times are UTC. Importing again changes nothing.',
    run: earnings,
  },
  {
    name: 'payments',
    summary: 'Import what parties paid each other, or list what was imported.',
    argument: 'import|list FILE',
    options: { config: CONFIG, json: JSON_OUTPUT },
    examples: ['weighbridge payments import december.csv --config weighbridge.yaml', 'weighbridge payments --config weighbridge.yaml'],
    notes: 'A CSV file with the columns lease, payer, payee, paid_at, amount, currency, reference; times are UTC. A reference is unique within its lease; importing again changes nothing.',
    run: payments,
  },
  {
    name: 'meters',
    summary: 'Import readings of energy meters, or list what was imported.',
    argument: 'import|list FILE',
    options: { config: CONFIG, json: JSON_OUTPUT },
    examples: ['weighbridge meters import november.csv --config weighbridge.yaml', 'weighbridge meters --config weighbridge.yaml'],
    notes: 'A CSV file with the columns meter, from, to, kwh; times are UTC. A lease pays by a meter with `hosting: …, metered: NAME`. Importing again changes nothing.',
    run: meters,
  },
  {
    name: 'reconcile',
    summary: 'Hold what a pool was sent, answered and paid against our records.',
    argument: '',
    options: { config: CONFIG, pool: { type: 'string', value: 'NAME', help: 'Name of the pool in the configuration.' }, ...RANGE, local: LOCAL, json: JSON_OUTPUT },
    examples: ['weighbridge reconcile --config weighbridge.yaml --pool main --from 2026-11-01 --to 2026-12-01'],
    notes: 'Without --to: until now. Earnings whose interval lies within are compared one by one. Exit code 1 when something does not agree.',
    run: reconcile,
  },
  {
    name: 'verify',
    summary: 'Verify an issued statement: signature, keys, chain and, with --data, every figure.',
    argument: 'FILE',
    options: {
      data: { type: 'string', value: 'DIR[,DIR]', help: 'Data directories, or copies, of all hosts of the lease: keys, earlier statements, journals or a ledger.' },
      sample: { type: 'string', value: 'N', help: 'Validate N shares of the journals chosen at random instead of all.' },
      json: JSON_OUTPUT,
    },
    examples: ['weighbridge verify november.json', 'weighbridge verify november.json --data ./data', 'weighbridge verify november.json --data ./host-a,./host-b --sample 100000'],
    notes: 'Exit code 1 when anything is wrong. Without --data it needs nothing but the file. With journals of the period every figure is computed again from them with bitcoinjs-lib alone; a `journal` folder is enough.',
    run: verify,
  },
  {
    name: 'keys',
    summary: 'Show the keys that sign statements, or make the next one.',
    argument: 'show|rotate',
    options: { ...INSTANCE, json: JSON_OUTPUT },
    examples: ['weighbridge keys --config weighbridge.yaml', 'weighbridge keys rotate --config weighbridge.yaml'],
    notes: 'A new key is signed by the one before it. The secret files in the folder keys must be backed up and shown to nobody.',
    run: keys,
  },
  {
    name: 'explain',
    summary: 'Judge one share given as JSON and name the mistake that makes it fit.',
    argument: 'FILE|-',
    options: {},
    examples: ['weighbridge explain share.json', 'cat share.json | weighbridge explain -'],
    notes:
      'The JSON holds notifyParams, extranonce1, extranonce2, ntime, nonce, versionBits, versionMask and optionally difficulty. Exit code 1 when it cannot be read.',
    run: explain,
  },
  {
    name: 'reload',
    summary: 'Read the configuration again and follow it, without closing a session that need not close.',
    argument: '',
    options: { ...INSTANCE, json: JSON_OUTPUT },
    examples: ['weighbridge reload --config weighbridge.yaml', 'weighbridge reload --data ./data --json'],
    notes: 'Reads the file that the instance was started with; SIGHUP to the instance does the same. A configuration with a problem changes nothing.',
    run: reload,
  },
  {
    name: 'restart',
    summary: 'Replace the proxy processes one by one, with a new build if one is in place.',
    argument: '',
    options: { ...INSTANCE, ...OVER, process: { ...PROCESS, help: 'Only this process. Default: all, one after the other.' }, json: JSON_OUTPUT },
    examples: ['weighbridge restart --config weighbridge.yaml', 'weighbridge restart --data ./data --process 2 --over 5m'],
    notes: 'A new process listens before the machines of the old one are moved. No connection is refused.',
    run: restart,
  },
  {
    name: 'drain',
    summary: 'Take the machines away at an even pace and stop, the whole instance or one process.',
    argument: '',
    options: { ...INSTANCE, ...OVER, process: { ...PROCESS, help: 'Only this process: its machines move to the others. Default: the instance.' }, json: JSON_OUTPUT },
    examples: ['weighbridge drain --config weighbridge.yaml --over 60s', 'weighbridge drain --data ./data --over 5m --process 2'],
    notes: 'Without --process the listeners close first, so that machines turn to the next pool in their own list. A drained process comes back with `restart --process N`.',
    run: drain,
  },
  {
    name: 'log',
    summary: 'Log, for a time, what some machines of a running instance say and hear.',
    argument: '',
    options: {
      ...INSTANCE,
      debug: { type: 'string', value: 'GLOB', help: 'Machines by worker name: * is any run of characters, ? is one.' },
      for: { type: 'string', value: 'TIME', help: 'How long: 30s, 10m, 2h; a day at most. Default: 10m.' },
      off: { type: 'boolean', value: '', help: 'End it now.' },
    },
    examples: ['weighbridge log --config weighbridge.yaml --debug "acme.rack07-*" --for 10m', 'weighbridge log --config weighbridge.yaml --off'],
    notes: 'The lines go where the instance logs, at level debug. Passwords are hidden. docs/logs.md lists the events.',
    run: log,
  },
  {
    name: 'stop',
    summary: 'Stop a running instance and wait until it is gone.',
    argument: '',
    options: INSTANCE,
    examples: ['weighbridge stop --config weighbridge.yaml'],
    notes: '',
    run: stop,
  },
];
