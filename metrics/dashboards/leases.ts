/** The dashboard Leases: the ladder from contracted to delivered, ratio, value and rent, for finance and the analysts of a lessor. */
import { type DynamicConfigValue, RowBuilder, VariableHide, CustomVariableBuilder, type DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { board, variable } from './board.ts';
import { partOf, sharesOf, sumOf } from './expressions.ts';
import { figures, GREEN, RED, series, states, table, UNIT, YELLOW } from './panels.ts';

const LEASE = 'lease=~"$lease"';
const WINDOW = `window="$window",${LEASE}`;
const REJECTED = 'verdict!~"accepted|courtesy"';

/** Below the target of most service levels, and below what a credit is paid for. */
const RATIO_STEPS = [
  { value: null, color: RED },
  { value: 0.9, color: YELLOW },
  { value: 0.95, color: GREEN },
];

/** In the order of the numbers that STATE gives them. */
const STATES = [
  ['ok', GREEN],
  ['over', 'blue'],
  ['curtailed', 'purple'],
  ['unmeasured', 'gray'],
  ['low', 'orange'],
  ['dark', RED],
] as const;

/** One number for each lease: the place of its state in STATES. */
const STATE = STATES.map(([state], place) => `${place} * (weighbridge_lease_state{state="${state}",${LEASE}} == 1)`).join(' or ');

export function leases(): DashboardBuilder {
  const dashboard = board('weighbridge-leases', 'Weighbridge: Leases', 'What is contracted, installed, seen and delivered under each lease. A variable is no access control: docs/dashboards.md says what is.')
    .withVariable(variable('lessor', 'Lessor', 'weighbridge_lease_info', 'lessor'))
    .withVariable(variable('lessee', 'Lessee', 'weighbridge_lease_info{lessor=~"$lessor"}', 'lessee'))
    .withVariable(variable('lease', 'Lease', 'weighbridge_lease_info{lessor=~"$lessor",lessee=~"$lessee"}', 'lease'))
    .withVariable(windowVariable());
  addNow(dashboard);
  addLadder(dashboard);
  addShortfall(dashboard);
  addMoney(dashboard);
  addShares(dashboard);
  return dashboard;
}

function windowVariable(): CustomVariableBuilder {
  return new CustomVariableBuilder('window')
    .label('Window')
    .hide(VariableHide.DontHide)
    .values('5m,1h,24h,period')
    .current({ selected: true, text: '1h', value: '1h' })
    .options(['5m', '1h', '24h', 'period'].map((value) => ({ selected: value === '1h', text: value, value })));
}

function addNow(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Now'))
    .withPanel(table({
      title: 'Leases',
      description: 'Every lease with its parties and where it stands. "low" means that the test which stays right however often it is looked at has found less than the contracted rate: the performer should be told today. "dark": no share at all; go and look.',
      width: 24,
      height: 6,
      columns: [
        { expr: `max by (lease, kind, lessor, lessee, performer) (weighbridge_lease_info{${LEASE}})`, legend: '', unit: UNIT.none },
        { expr: `max by (lease, state) (weighbridge_lease_state{${LEASE}} == 1)`, legend: '', unit: UNIT.none },
        { expr: `max by (lease) (weighbridge_lease_contracted_hashes_per_second{${LEASE}})`, legend: 'contracted', unit: UNIT.hashRate },
        { expr: `sum by (lease) (weighbridge_lease_delivered_hashes_per_second{${WINDOW}})`, legend: 'delivered', unit: UNIT.hashRate },
        { expr: `min by (lease) (weighbridge_lease_delivery_ratio{${WINDOW}})`, legend: 'of owed', unit: UNIT.ratio },
        { expr: `min by (lease) (weighbridge_lease_delivery_ratio{window="period",${LEASE}})`, legend: 'of owed, period', unit: UNIT.ratio },
        { expr: `time() - max by (lease) (weighbridge_lease_last_share_timestamp_seconds{${LEASE}})`, legend: 'last share', unit: UNIT.seconds },
      ],
    }))
    .withPanel(figures({
      title: 'Delivered of owed, this period',
      description: 'Delivered over owed work since the period of the service level began. Below the target of the contract a credit becomes due: `weighbridge statement` drafts it, and says what chance excuses.',
      unit: UNIT.ratio,
      width: 12,
      height: 5,
      thresholds: RATIO_STEPS,
      queries: [{ expr: `min by (lease) (weighbridge_lease_delivery_ratio{window="period",${LEASE}})`, legend: '{{lease}}' }],
    }))
    .withPanel(states({
      title: 'State',
      description: 'What each lease was in. orange, low: less than contracted arrives, with proof; red, dark: nothing arrives; purple, curtailed: nothing is owed. Beginning and end of a stretch belong into the claim.',
      unit: UNIT.none,
      width: 12,
      height: 5,
      queries: [{ expr: `max by (lease) (${STATE})`, legend: '{{lease}}' }],
    }, STATES));
}

function addLadder(dashboard: DashboardBuilder): void {
  const dashed = (color: string): DynamicConfigValue[] => [
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 6] } },
    { id: 'color', value: { mode: 'fixed', fixedColor: color } },
  ];
  const edge: DynamicConfigValue[] = [
    { id: 'custom.lineWidth', value: 0 },
    { id: 'color', value: { mode: 'fixed', fixedColor: GREEN } },
    { id: 'custom.hideFrom', value: { legend: true, tooltip: false, viz: false } },
  ];
  const line = (color: string): DynamicConfigValue[] => [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }];
  dashboard
    .withRow(new RowBuilder('From contracted to delivered'))
    .withPanel(series({
      title: 'The ladder of $lease',
      description: 'Contracted; installed by the plates of the inventory; seen, the plates of what is connected; delivered with the 95 % interval of the true rate. Contracted above installed: machines are missing. Installed above seen: machines are off. Seen above delivered: machines hash less than their plates, or are rejected.',
      unit: UNIT.hashRate,
      width: 8,
      height: 9,
      min: 0,
      repeat: 'lease',
      queries: [
        { expr: `max(weighbridge_lease_contracted_hashes_per_second{${LEASE}})`, legend: 'contracted' },
        { expr: `max(weighbridge_lease_installed_hashes_per_second{${LEASE}})`, legend: 'installed' },
        { expr: `sum(weighbridge_lease_seen_hashes_per_second{${LEASE}})`, legend: 'seen' },
        { expr: `sum(weighbridge_lease_delivered_hashes_per_second{${WINDOW}})`, legend: 'delivered' },
        { expr: `sum(weighbridge_lease_delivered_low_hashes_per_second{${WINDOW}})`, legend: 'low' },
        { expr: `sum(weighbridge_lease_delivered_high_hashes_per_second{${WINDOW}})`, legend: 'high' },
      ],
      overrides: {
        contracted: dashed(RED),
        installed: line('purple'),
        seen: line('blue'),
        delivered: line(GREEN),
        low: edge,
        high: [...edge, { id: 'custom.fillBelowTo', value: 'low' }, { id: 'custom.fillOpacity', value: 20 }],
      },
    }));
}

function addShortfall(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Shortfall'))
    .withPanel(series({
      title: 'Shortfall',
      description: 'What is owed and does not arrive: owed rate less the upper end of the 95 % interval, so chance makes none. Anything above 0 for hours is a claim in the making: tell the performer, and look for the cause on the ladder.',
      unit: UNIT.hashRate,
      width: 12,
      min: 0,
      queries: [{ expr: `clamp_min(max by (lease) (weighbridge_lease_owed_hashes_per_second{${LEASE}}) - sum by (lease) (weighbridge_lease_delivered_high_hashes_per_second{${WINDOW}}), 0)`, legend: '{{lease}}' }],
    }))
    .withPanel(series({
      title: 'Delivery ratio',
      description: 'Delivered over owed work of the window. Short windows scatter by chance; judge the service level by "period". Under 95 % (dashed) most contracts credit the other party.',
      unit: UNIT.ratio,
      width: 12,
      min: 0,
      thresholds: RATIO_STEPS,
      queries: [{ expr: `min by (lease) (weighbridge_lease_delivery_ratio{${WINDOW}})`, legend: '{{lease}}' }],
    }));
}

function addMoney(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Value and rent'))
    .withPanel(series({
      title: 'Expected value',
      description: 'What a day at the rate of the last 5 minutes is expected to be worth, by the difficulty and coinbase of each job. It is expected value: pools pay average fees. If it falls while the delivered rate does not, the network difficulty has risen or fees have fallen.',
      unit: UNIT.satoshisPerDay,
      width: 12,
      min: 0,
      queries: [{ expr: `sum by (lease) (rate(weighbridge_lease_expected_value_satoshis_total{${LEASE}}[5m])) * 86400`, legend: '{{lease}}' }],
    }))
    .withPanel(series({
      title: 'Rent',
      description: 'Rent of a day at the present rates and value, before service credits, in the currency of each part. The statement is what is owed; if this does not look like it, read `weighbridge lease check`.',
      unit: UNIT.moneyPerDay,
      width: 12,
      min: 0,
      queries: [{ expr: `sum by (lease, component, currency) (weighbridge_lease_rent_per_day{${LEASE}})`, legend: '{{lease}} {{component}} {{currency}}' }],
    }));
}

function addShares(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder('Where it comes from'))
    .withPanel(series({
      title: 'Delivered by site',
      description: 'Delivered under the chosen leases at each site. A machine may be under two leases of different kinds and then counts in both: choose one lease, or leases of one kind. The site that falls is where to look.',
      unit: UNIT.hashRate,
      width: 8,
      stacked: true,
      min: 0,
      queries: [{ expr: sumOf('weighbridge:lease_hashrate:rate5m', 'lease, site', LEASE), legend: '{{lease}} {{site}}' }],
    }))
    .withPanel(series({
      title: 'Rejected by us',
      description: 'Part of the shares under each lease that we judged bad; they count as not delivered. Above 1 % the performer loses work that it pays power for: `weighbridge machines --rejects` lists the machines.',
      unit: UNIT.ratio,
      width: 8,
      min: 0,
      queries: [{ expr: partOf('weighbridge_lease_shares_total', 'lease', REJECTED, LEASE), legend: '{{lease}}' }],
    }))
    .withPanel(series({
      title: 'Shares',
      description: 'Shares a second under each lease: the more, the narrower the interval. Under 20 a minute for a whole lease, alarms come late: raise `difficulty.sharesPerMinute`.',
      unit: UNIT.perSecond,
      width: 8,
      min: 0,
      queries: [{ expr: sharesOf('weighbridge_lease_shares_total', 'lease', `verdict="accepted",${LEASE}`), legend: '{{lease}}' }],
    }));
}
