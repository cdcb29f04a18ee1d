/** The dashboard Machine room: latency, journal, shared ledger and processes, for whoever runs the hosts. */
import { RowBuilder, type DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { board, variable } from './board.ts';
import { quantile } from './expressions.ts';
import { figures, GREEN, type Query, RED, series, UNIT, YELLOW } from './panels.ts';

const HOST = 'instance=~"$instance"';

export function machineRoom(): DashboardBuilder {
  const dashboard = board('weighbridge-machine-room', 'Weighbridge: Machine room', 'Latency, journal, shared ledger and processes of each host.').withVariable(
    variable('instance', 'Host', 'weighbridge_build_info', 'instance'),
  );
  addNow(dashboard);
  addLatency(dashboard);
  addJournal(dashboard);
  addShared(dashboard);
  addProcesses(dashboard);
  return dashboard;
}

/** A figure that must be nothing. */
const MUST_BE_0 = [
  { value: null, color: GREEN },
  { value: 1, color: RED },
];

function quantiles(histogram: string, by = 'instance'): Query[] {
  const name = by
    .split(', ')
    .map((label) => `{{${label}}}`)
    .join(' ');
  return [
    { expr: quantile(0.5, histogram, by, HOST), legend: `${name} median` },
    { expr: quantile(0.99, histogram, by, HOST), legend: `${name} p99` },
  ];
}

function addNow(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Now'))
    .withPanel(figures({
      title: 'Unjournaled shares',
      description: 'Shares that machines were told are good while the journal could not be written, over the life of the ledger. They are claimed in no figure. If it grows: make room on the disk now; docs/faults.md.',
      unit: UNIT.count,
      width: 4,
      thresholds: MUST_BE_0,
      queries: [{ expr: `sum(weighbridge_unjournaled_shares_total{${HOST}})`, legend: 'shares' }],
    }))
    .withPanel(figures({
      title: 'Validation mismatches',
      description: 'Samples on which bitcoinjs-lib and the fast kernel disagreed. Anything above 0 is a fault of ours or of the hardware: run `weighbridge audit`, and report it.',
      unit: UNIT.count,
      width: 4,
      thresholds: MUST_BE_0,
      queries: [{ expr: `sum(weighbridge_validation_mismatches_total{${HOST}})`, legend: 'mismatches' }],
    }))
    .withPanel(figures({
      title: 'Corrupt ranges',
      description: 'Unreadable ranges in the journals. Anything above 0: the disk or a copy is damaged; `weighbridge audit` names file and place, everything around it still counts.',
      unit: UNIT.count,
      width: 4,
      thresholds: MUST_BE_0,
      queries: [{ expr: `sum(weighbridge_journal_corrupt_ranges{${HOST}})`, legend: 'ranges' }],
    }))
    .withPanel(figures({
      title: 'Hosts that cannot write',
      description: 'Hosts whose journal or ledger cannot be written. Journal: shares go unjournaled, act now. Ledger: the journal keeps what it misses, and it catches up by itself once the cause is gone.',
      unit: UNIT.count,
      width: 4,
      thresholds: MUST_BE_0,
      queries: [{ expr: `sum(1 - weighbridge_journal_writable{${HOST}}) + sum(1 - weighbridge_ledger_writable{${HOST}})`, legend: 'hosts' }],
    }))
    .withPanel(figures({
      title: 'Running since',
      description: 'How long each supervisor has run. A short time that nobody explains is a crash or a restart of the host: see its log.',
      unit: UNIT.seconds,
      width: 4,
      queries: [{ expr: `time() - max by (instance) (weighbridge_start_time_seconds{${HOST}})`, legend: '{{instance}}' }],
    }))
    .withPanel(figures({
      title: 'Hosts',
      description: 'Instances that Prometheus reaches. One too few: it is stopped, unreachable, or answers 503 because its ledger has not caught up after a start.',
      unit: UNIT.count,
      width: 4,
      queries: [{ expr: `count(weighbridge_build_info{${HOST}})`, legend: 'hosts' }],
    }));
}

function addLatency(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Latency'))
    .withPanel(series({
      title: 'Reply latency',
      description: 'Time from reading a submit to writing its reply. It holds the flush of the journal: if both rise, the disk is slow; if only this one does, a process is short of processor time.',
      unit: UNIT.seconds,
      width: 6,
      min: 0,
      queries: quantiles('weighbridge_reply_latency_seconds'),
    }))
    .withPanel(series({
      title: 'Flush of the journal',
      description: 'Time of one group commit, from write to durable. Above 50 ms at p99 the disk is too slow or shared with a busy neighbour; machines wait, nothing is lost.',
      unit: UNIT.seconds,
      width: 6,
      min: 0,
      queries: quantiles('weighbridge_journal_fsync_seconds'),
    }))
    .withPanel(series({
      title: 'Fan-out of jobs',
      description: "Time from reading a pool's job to having written it to the last machine of the link. Above a second machines work on old jobs: fewer machines for each process, or a faster processor.",
      unit: UNIT.seconds,
      width: 6,
      min: 0,
      queries: quantiles('weighbridge_notify_fanout_seconds'),
    }))
    .withPanel(series({
      title: 'Event-loop delay',
      description: 'How late timers fire: time in which the process did nothing else. Above 50 ms at p99 for long, the process has too much to do or the host is overcommitted.',
      unit: UNIT.seconds,
      width: 6,
      min: 0,
      queries: quantiles('weighbridge_event_loop_delay_seconds', 'instance, process'),
    }));
}

function addJournal(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Journal and ledger'))
    .withPanel(series({
      title: 'Journal written',
      description: 'Bytes a second appended to the journals. Times the days of `journal.retain` this is what the disk must hold (before compression). A leap without more hash rate is a faulty machine that floods: `weighbridge machines --rejects`.',
      unit: UNIT.bytesPerSecond,
      width: 6,
      min: 0,
      queries: [{ expr: `sum by (instance) (rate(weighbridge_journal_written_bytes_total{${HOST}}[5m]))`, legend: '{{instance}}' }],
    }))
    .withPanel(series({
      title: 'Free space',
      description: 'Free bytes where the journals are written. Below `journal.freeMin` make room; at 0 shares go unjournaled.',
      unit: UNIT.bytes,
      width: 6,
      min: 0,
      queries: [{ expr: `min by (instance) (weighbridge_journal_free_bytes{${HOST}})`, legend: '{{instance}}' }],
    }))
    .withPanel(series({
      title: 'Ledger behind the journal',
      description: 'Age of the oldest durable record that the ledger does not hold yet. Seconds are normal; a line that rises means that the accountant is down or cannot write: `weighbridge status`.',
      unit: UNIT.seconds,
      width: 6,
      min: 0,
      queries: [{ expr: `max by (instance) (weighbridge_journal_lag_seconds{${HOST}})`, legend: '{{instance}}' }],
    }))
    .withPanel(series({
      title: 'Shares waiting for the disk',
      description: 'Shares whose machines wait until their record is durable. It follows the flush time; hundreds for minutes mean a disk that does not keep up.',
      unit: UNIT.count,
      width: 6,
      min: 0,
      queries: [{ expr: `sum by (instance) (weighbridge_journal_waiting_shares{${HOST}})`, legend: '{{instance}}' }],
    }));
}

function addShared(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Shared ledger in Redis'))
    .withPanel(series({
      title: 'Redis takes what is published',
      description: '1 while the shared ledger takes what this host publishes. At 0 mining and the local ledger go on, and everything is published when it is back: docs/redis.md. Empty where no ledger is shared.',
      unit: UNIT.none,
      width: 6,
      min: 0,
      max: 1,
      queries: [{ expr: `min by (instance) (weighbridge_redis_up{${HOST}})`, legend: '{{instance}}' }],
    }))
    .withPanel(series({
      title: 'Shared ledger behind this host',
      description: 'Age of the oldest change that the shared ledger does not have. Up to 15 s by design; minutes mean that Redis is away, full (noeviction), or slow.',
      unit: UNIT.seconds,
      width: 6,
      min: 0,
      thresholds: [{ value: null, color: GREEN }, { value: 30, color: YELLOW }, { value: 60, color: RED }],
      queries: [{ expr: `max by (instance) (weighbridge_redis_lag_seconds{${HOST}})`, legend: '{{instance}}' }],
    }))
    .withPanel(series({
      title: 'Published rows',
      description: 'Ledger rows a second written to the shared ledger. It follows the number of machines; a leap without them is a rebuild or a Redis that lost its data and is being filled again.',
      unit: UNIT.perSecond,
      width: 6,
      min: 0,
      queries: [{ expr: `sum by (instance) (rate(weighbridge_redis_published_rows_total{${HOST}}[5m]))`, legend: '{{instance}}' }],
    }))
    .withPanel(series({
      title: 'Errors and losses',
      description: 'In the last 5 minutes: failed commands (sent again), hashes that Redis had lost (published again), changes too old to publish (in the local ledger only). Losses on a quiet day: check the persistence of Redis.',
      unit: UNIT.count,
      width: 6,
      min: 0,
      queries: [
        { expr: `sum by (instance) (increase(weighbridge_redis_errors_total{${HOST}}[5m]))`, legend: '{{instance}} errors' },
        { expr: `sum by (instance) (increase(weighbridge_redis_missing_found_total{${HOST}}[5m]))`, legend: '{{instance}} lost' },
        { expr: `sum by (instance) (increase(weighbridge_redis_expired_rows_total{${HOST}}[5m]))`, legend: '{{instance}} expired' },
      ],
    }));
}

function addProcesses(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Processes'))
    .withPanel(series({
      title: 'Processor',
      description: 'Cores that each process uses. A proxy process near 1 is full: share the listeners among more processes, or raise difficulties.',
      unit: UNIT.cores,
      width: 6,
      min: 0,
      queries: [{ expr: `sum by (instance, process) (rate(weighbridge_process_cpu_seconds_total{${HOST}}[5m]))`, legend: '{{instance}} {{process}}' }],
    }))
    .withPanel(series({
      title: 'Memory',
      description: 'Memory that each process holds. It grows with sessions and, between two blocks, with the shares remembered to find duplicates (the saw-tooth below it, 66 bytes each); a line that rises for days is a leak: note the version and report it.',
      unit: UNIT.bytes,
      width: 6,
      min: 0,
      queries: [
        { expr: `sum by (instance, process) (weighbridge_process_resident_memory_bytes{${HOST}})`, legend: '{{instance}} {{process}}' },
        { expr: `66 * sum by (instance) (weighbridge_duplicate_hashes{${HOST}})`, legend: '{{instance}} duplicate sets' },
      ],
    }))
    .withPanel(series({
      title: 'Restarts',
      description: 'Child processes started again in the last hour because they ended unasked. Any is worth a look at the log: event "child ended" says why. Beside them the proxy processes that do not serve at this moment, by what they do instead.',
      unit: UNIT.count,
      width: 6,
      min: 0,
      queries: [
        { expr: `sum by (instance, process) (increase(weighbridge_process_restarts_total{${HOST}}[1h]))`, legend: '{{instance}} {{process}}' },
        { expr: `sum by (instance, state) (weighbridge_proxy_processes{${HOST}, state!="serving"})`, legend: '{{instance}} {{state}}' },
      ],
    }))
    .withPanel(series({
      title: 'Connections from machines',
      description: 'Connections a second that were accepted, and sessions that took up an old one again. A storm after an outage is normal and short; one that does not end is a listener that machines cannot stay with.',
      unit: UNIT.perSecond,
      width: 6,
      min: 0,
      queries: [
        { expr: `sum by (instance) (rate(weighbridge_connects_total{${HOST}}[5m]))`, legend: '{{instance}} accepted' },
        { expr: `sum by (instance) (rate(weighbridge_resumptions_total{${HOST}}[5m]))`, legend: '{{instance}} resumed' },
      ],
    }))
    .withPanel(series({
      title: 'Work from pools',
      description: 'Jobs taken from pools and refused as wrong, and lines that are no Stratum, in the last 5 minutes. Any refused one: the pool sends what cannot be mined; its log line says what, and the pool wants to know.',
      unit: UNIT.count,
      width: 8,
      min: 0,
      queries: [
        { expr: `sum by (instance) (increase(weighbridge_jobs_total{${HOST}}[5m]))`, legend: '{{instance}} taken' },
        { expr: `sum by (instance) (increase(weighbridge_jobs_refused_total{${HOST}}[5m]))`, legend: '{{instance}} refused' },
        { expr: `sum by (instance) (increase(weighbridge_pool_lines_refused_total{${HOST}}[5m]))`, legend: '{{instance}} no Stratum' },
      ],
    }))
    .withPanel(series({
      title: 'Second opinions',
      description: 'Shares a second that bitcoinjs-lib validates once more. It must not be 0 while shares come: then nothing watches the fast kernel.',
      unit: UNIT.perSecond,
      width: 8,
      min: 0,
      queries: [{ expr: `sum by (instance) (rate(weighbridge_validation_samples_total{${HOST}}[5m]))`, legend: '{{instance}}' }],
    }))
    .withPanel(series({
      title: 'Held back and found',
      description: 'Shares in the last 5 minutes that `submitsPerSecondMax` held back from a pool (if not 0, ask the pool for a higher difficulty), and those that met the target of the network.',
      unit: UNIT.count,
      width: 8,
      min: 0,
      queries: [
        { expr: `sum by (instance) (increase(weighbridge_capped_shares_total{${HOST}}[5m]))`, legend: '{{instance}} held back' },
        { expr: `sum by (instance) (increase(weighbridge_shed_shares_total{${HOST}}[5m]))`, legend: '{{instance}} shed' },
        { expr: `sum by (instance) (increase(weighbridge_block_candidates_total{${HOST}}[5m]))`, legend: '{{instance}} blocks' },
      ],
    }));
}
