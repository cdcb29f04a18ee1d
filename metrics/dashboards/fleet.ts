/** The dashboard Fleet: sites, pools, rejects and links, for whoever keeps the farm running. */
import { RowBuilder, type DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { board, variable } from './board.ts';
import { delivered, partOf, quantile, sharesOf, sumOf } from './expressions.ts';
import { figures, GREEN, RED, series, UNIT, YELLOW } from './panels.ts';

const SITE = 'site=~"$site"';
const POOL = 'pool=~"$pool"';
const REJECTED = 'verdict!~"accepted|courtesy"';

const REJECT_STEPS = [
  { value: null, color: GREEN },
  { value: 0.01, color: YELLOW },
  { value: 0.03, color: RED },
];

export function fleet(): DashboardBuilder {
  const dashboard = board('weighbridge-fleet', 'Weighbridge: Fleet', 'Sites, pools, rejects and links.')
    .withVariable(variable('site', 'Site', 'weighbridge_sessions', 'site'))
    .withVariable(variable('pool', 'Pool', 'weighbridge_links', 'pool'));
  addNow(dashboard);
  addSites(dashboard);
  addRejects(dashboard);
  addPools(dashboard);
  addLinks(dashboard);
  addSplits(dashboard);
  return dashboard;
}

function addNow(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Now'))
    .withPanel(figures({
      title: 'Hash rate',
      description: 'Delivered over the last 5 minutes, from accepted shares. If it falls while sessions stay, look at rejects and at "Since the last share"; if sessions fall too, the site has lost power or network.',
      unit: UNIT.hashRate,
      width: 6,
      queries: [{ expr: `sum(${delivered('site', SITE)})`, legend: 'delivered' }],
    }))
    .withPanel(figures({
      title: 'Sessions',
      description: 'Machines connected under a name that a route takes. A fall is machines that lost power, network or their settings: `weighbridge machines --dark` names them.',
      unit: UNIT.count,
      width: 6,
      queries: [{ expr: `sum(weighbridge_sessions{${SITE}})`, legend: 'sessions' }],
    }))
    .withPanel(figures({
      title: 'Rejected by us',
      description: 'Part of all shares of the last 5 minutes that we judged bad. Above 1 % see "Rejects by verdict"; `weighbridge machines --rejects` lists the machines.',
      unit: UNIT.ratio,
      width: 6,
      thresholds: REJECT_STEPS,
      queries: [{ expr: `sum(${sharesOf('weighbridge_shares_total', 'site', `${REJECTED},${SITE}`)} or vector(0)) / sum(${sharesOf('weighbridge_shares_total', 'site', SITE)})`, legend: 'rejected' }],
    }))
    .withPanel(figures({
      title: 'Pools without a live link',
      description: 'Pools that no machine could be sent to now. One: machines of its routes work for the next pool. All: shares are journaled but not forwarded; call the pool, or add another to the routes.',
      unit: UNIT.count,
      width: 6,
      thresholds: [{ value: null, color: GREEN }, { value: 1, color: RED }],
      queries: [{ expr: `count(count by (pool) (weighbridge_links{${POOL}})) - (count(sum by (pool) (weighbridge_links{state="live",${POOL}}) > 0) or vector(0))`, legend: 'pools' }],
    }));
}

function addSites(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Sites'))
    .withPanel(series({
      title: 'Hash rate by site',
      description: 'Delivered, over 5 minutes each. A site that falls to nothing at once has lost power or network; one that sinks slowly has machines that overheat or hang.',
      unit: UNIT.hashRate,
      width: 12,
      stacked: true,
      min: 0,
      queries: [{ expr: delivered('site', SITE), legend: '{{site}}' }],
    }))
    .withPanel(series({
      title: 'Hash rate by lessee',
      description: 'Delivered, by the lessee that the route of each machine names; empty is hash rate of nobody in particular. If one grows at the cost of another, machines were renamed or a route changed. What is owed is on the dashboard Leases.',
      unit: UNIT.hashRate,
      width: 12,
      stacked: true,
      min: 0,
      queries: [{ expr: delivered('lessee', SITE), legend: '{{lessee}}' }],
    }))
    .withPanel(series({
      title: 'Sessions by site',
      description: 'Connected machines. Steps down are racks or switches; a saw is machines that reconnect again and again: see "Sessions closed by reason".',
      unit: UNIT.count,
      width: 8,
      min: 0,
      queries: [{ expr: `sum by (site) (weighbridge_sessions{${SITE}})`, legend: '{{site}}' }],
    }))
    .withPanel(series({
      title: 'Since the last share',
      description: 'Time since the last accepted share of each site and lessee. Minutes are normal for a few slow machines only; a line that rises without end is dark: go and look.',
      unit: UNIT.seconds,
      width: 8,
      min: 0,
      queries: [{ expr: `time() - max by (site, lessee) (weighbridge_last_share_timestamp_seconds{${SITE}})`, legend: '{{site}} {{lessee}}' }],
    }))
    .withPanel(series({
      title: 'Expected income by site',
      description: 'What delivered work is expected to be worth a day, by the difficulty and coinbase of its own jobs. Below the cost of power (dashed, where `sites.*.power` is configured) the site loses money: curtail it.',
      unit: UNIT.satoshisPerDay,
      width: 8,
      min: 0,
      queries: [
        { expr: `${sumOf('weighbridge:site_income:rate5m', 'site', SITE)} * 86400`, legend: '{{site}}' },
        { expr: `sum by (site) (weighbridge_site_power_cost_satoshis_per_second{${SITE}}) * 86400`, legend: '{{site}} power' },
      ],
    }));
}

function addRejects(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Rejects'))
    .withPanel(series({
      title: 'Rejected by us, by site',
      description: 'Part of the shares of each site that we judged bad. Above 1 % for long: old firmware, a bad network (stale), or an overclocked machine (low-difficulty).',
      unit: UNIT.ratio,
      width: 8,
      min: 0,
      thresholds: REJECT_STEPS,
      queries: [{ expr: partOf('weighbridge_shares_total', 'site', REJECTED, SITE), legend: '{{site}}' }],
    }))
    .withPanel(series({
      title: 'Rejects by verdict',
      description: 'Shares a second that we rejected. stale: network or slow machines; duplicate and bad-version: firmware; unknown-job right after a restart: normal; unauthorised: a worker name that no route takes. `weighbridge explain` finds the mistake in one share.',
      unit: UNIT.perSecond,
      width: 8,
      min: 0,
      queries: [{ expr: sharesOf('weighbridge_shares_total', 'verdict', `${REJECTED},${SITE}`), legend: '{{verdict}}' }],
    }))
    .withPanel(series({
      title: 'Rejects of pools by reason',
      description: 'Forwarded shares a second that a pool rejected or never answered. We found them good: if this is not near nothing, the pool is late with jobs (stale), or disagrees with us, which is worth a call to it.',
      unit: UNIT.perSecond,
      width: 8,
      min: 0,
      queries: [{ expr: sharesOf('weighbridge_pool_shares_total', 'pool, verdict, reason', `verdict!="accepted",${POOL}`), legend: '{{pool}} {{verdict}} {{reason}}' }],
    }));
}

function addPools(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Pools'))
    .withPanel(series({
      title: 'Delivered and credited',
      description: 'All delivered work against all that pools credited. They differ by chance only (pools count fewer, larger shares): a gap that stays is work that no pool pays for. See rejects of pools, failover, and shares held back.',
      unit: UNIT.hashRate,
      width: 8,
      min: 0,
      queries: [
        { expr: 'weighbridge:fleet_hashrate:rate5m', legend: 'delivered' },
        { expr: 'sum(weighbridge:pool_hashrate:rate5m)', legend: 'credited' },
      ],
    }))
    .withPanel(series({
      title: 'Credited by pool',
      description: 'Work that each pool accepted, as hash rate. A pool that falls to nothing while its link is live does not credit: move its routes and call it.',
      unit: UNIT.hashRate,
      width: 8,
      stacked: true,
      min: 0,
      queries: [{ expr: sumOf('weighbridge:pool_hashrate:rate5m', 'pool', POOL), legend: '{{pool}}' }],
    }))
    .withPanel(series({
      title: 'Round trip to pools',
      description: "Time from forwarding a share to the pool's verdict, median and 99 of 100. Above a second the pool is far away or overloaded; stale rejects follow.",
      unit: UNIT.seconds,
      width: 8,
      min: 0,
      queries: [
        { expr: quantile(0.5, 'weighbridge_pool_round_trip_seconds', 'pool', POOL), legend: '{{pool}} median' },
        { expr: quantile(0.99, 'weighbridge_pool_round_trip_seconds', 'pool', POOL), legend: '{{pool}} p99' },
      ],
    }));
}

function addLinks(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Links'))
    .withPanel(series({
      title: 'Links by state',
      description: 'Connections to pools. Only live ones take shares; waiting means that the last attempt failed and the next is being waited for: `weighbridge status` says why.',
      unit: UNIT.count,
      width: 6,
      min: 0,
      queries: [{ expr: `sum by (pool, state) (weighbridge_links{${POOL}}) > 0`, legend: '{{pool}} {{state}}' }],
    }))
    .withPanel(series({
      title: 'Sessions for each link',
      description: 'Machines that share one connection to the pool. It falls when machines leave or links multiply; 1 would mean that nothing is aggregated: see the extranonce layout in docs/configuration.md.',
      unit: UNIT.count,
      width: 6,
      min: 0,
      queries: [{ expr: `sum by (pool) (weighbridge_link_sessions{${POOL}}) / sum by (pool) (weighbridge_links{state="live",${POOL}})`, legend: '{{pool}}' }],
    }))
    .withPanel(series({
      title: 'Age of the job',
      description: 'Time since each pool last sent work. Pools send at least each minute; at `timeouts.poolSilent` (three minutes) the link is given up and machines move on.',
      unit: UNIT.seconds,
      width: 6,
      min: 0,
      thresholds: [{ value: null, color: GREEN }, { value: 120, color: YELLOW }, { value: 180, color: RED }],
      queries: [{ expr: `max by (pool) (weighbridge_job_age_seconds{${POOL}})`, legend: '{{pool}}' }],
    }))
    .withPanel(series({
      title: 'Failover and reconnects',
      description: 'Sessions that work for a pool other than the first of their route, reconnections to pools in the last 5 minutes, and pools that live and are avoided, with the reason. All should be 0: a pool of a route is or was away, refuses shares, or is behind the chain.',
      unit: UNIT.count,
      width: 6,
      min: 0,
      queries: [
        { expr: `sum by (pool) (weighbridge_failover_sessions{${POOL}}) or 0 * sum by (pool) (weighbridge_link_sessions{${POOL}})`, legend: '{{pool}} failover' },
        { expr: `sum by (pool, reason) (weighbridge_pool_avoided{${POOL}})`, legend: '{{pool}} {{reason}}' },
        { expr: `sum by (pool) (increase(weighbridge_link_reconnects_total{${POOL}}[5m]))`, legend: '{{pool}} reconnects' },
      ],
    }))
    .withPanel(series({
      title: 'Sessions closed by reason',
      description: 'Sessions that ended in the last 5 minutes. "closed by the machine" in numbers is a switch, power, or firmware that gives up; "does not read" is a hung machine; "address of no site" a machine in the wrong network.',
      unit: UNIT.count,
      width: 12,
      min: 0,
      queries: [{ expr: 'sum by (reason) (increase(weighbridge_session_closes_total[5m])) or vector(0)', legend: '{{reason}}' }],
    }))
    .withPanel(series({
      title: 'Messages',
      description: 'Messages a second with machines and with pools. Few upstream for many downstream is the aggregation at work; a leap downstream without more hash rate is a difficulty that is too low, or a flood.',
      unit: UNIT.perSecond,
      width: 12,
      min: 0,
      queries: [{ expr: 'sum by (direction) (rate(weighbridge_messages_total[5m]))', legend: '{{direction}}' }],
    }));
}

/** By instance, because each host keeps its own splits. */
function addSplits(dashboard: DashboardBuilder): void {
  const by = 'by (instance, route, pool)';
  const of = (metric: string): string => `sum ${by} (${metric}{${POOL}})`;
  dashboard
    .withRow(new RowBuilder('Splits'))
    .withPanel(series({
      title: 'Delivered against target',
      description: 'For each part of a split route, named by its first pool, what it has of the delivered work since the split began, and what it is to have by its weight. The lines meet within an hour or two; a gap that stays after an outage is work that was forgiven: see "Debts of splits". The route is its place in the configuration, from 0.',
      unit: UNIT.ratio,
      width: 8,
      min: 0,
      max: 1,
      queries: [
        { expr: of('weighbridge_split_actual_ratio'), legend: '{{instance}} route {{route}} {{pool}}' },
        { expr: of('weighbridge_split_target_ratio'), legend: '{{instance}} route {{route}} {{pool}} target' },
      ],
    }))
    .withPanel(series({
      title: 'Debts of splits',
      description: 'Part of the delivered work that a part of a split has yet to get (above zero) or has had too much, and what it missed beyond `failover.splitDebtMax` and will not get. Owed after an outage: machines move until it is made good. Forgiven: settle it in another way, by `weighbridge ledger --by pool`.',
      unit: UNIT.ratio,
      width: 8,
      queries: [
        { expr: `${of('weighbridge_split_target_ratio')} - ${of('weighbridge_split_forgiven_ratio')} - ${of('weighbridge_split_actual_ratio')}`, legend: '{{instance}} route {{route}} {{pool}} owed' },
        { expr: of('weighbridge_split_forgiven_ratio'), legend: '{{instance}} route {{route}} {{pool}} forgiven' },
      ],
    }))
    .withPanel(series({
      title: 'Moves of splits',
      description: 'Machines an hour that were moved to keep a split. Two a machine and day are usual; many more for long means that parts come and go: see "Links by state", or machines that are too few or too unequal for these weights.',
      unit: UNIT.count,
      width: 8,
      min: 0,
      queries: [{ expr: 'sum by (instance, route) (increase(weighbridge_split_moves_total[1h]))', legend: '{{instance}} route {{route}}' }],
    }));
}
