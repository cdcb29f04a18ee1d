/** The ledger's figures, leases and power as samples. */
import type { LedgerSeries } from '../accounting/series.ts';
import type { LeaseKind } from '../config/leases.ts';
import { LEASE_STATES, type LabelsOf, type LeaseState, type LeaseWindow, type NameOfType } from './catalogue.ts';
import type { Exposition } from './exposition.ts';

/** What the configuration says of a lease. */
export interface LeaseContract {
  readonly lease: string;
  readonly kind: LeaseKind;
  readonly lessor: string;
  readonly lessee: string;
  readonly performer: string;
  /** Hashes per second; 0 outside the term. */
  readonly contracted: number;
}

/** What is known of a lease now. Rates are hashes per second. */
export interface LeaseFigures {
  readonly lease: string;
  readonly state: LeaseState;
  readonly owed: number;
  /** Undefined where no inventory is configured. */
  readonly installed: number | undefined;
  readonly seen: number | undefined;
  /** `ratio` is undefined while nothing was owed. */
  readonly windows: readonly {
    readonly window: LeaseWindow;
    readonly rate: number;
    readonly low: number;
    readonly high: number | undefined;
    readonly ratio: number | undefined;
  }[];
}

/** What a payment of a lease comes to in a day at the present rates. */
export interface LeaseRent {
  readonly lease: string;
  readonly component: LabelsOf<'weighbridge_lease_rent_per_day'>['component'];
  readonly currency: string;
  readonly perDay: number;
}

export interface SitePower {
  readonly site: string;
  readonly watts: number;
  /** Undefined where no price of bitcoin is known. */
  readonly satoshisPerSecond: number | undefined;
}

/** Counters that come from the ledger: it may have to be folded anew after a restart, and until then they would fall back. */
export const LEDGER_COUNTERS = [
  'weighbridge_shares_total',
  'weighbridge_work_total',
  'weighbridge_expected_value_satoshis_total',
  'weighbridge_lease_shares_total',
  'weighbridge_lease_work_total',
  'weighbridge_lease_expected_value_satoshis_total',
  'weighbridge_pool_shares_total',
  'weighbridge_pool_work_total',
] as const satisfies readonly NameOfType<'counter'>[];

export function ledgerMetrics(scrape: Exposition, series: LedgerSeries): void {
  for (const [site, lessee, verdict, shares, work] of series.delivered) {
    const labels = { site, lessee, verdict };
    scrape.set('weighbridge_shares_total', labels, shares);
    if (work !== null) scrape.set('weighbridge_work_total', labels, work);
  }
  for (const [site, lessee, satoshis, lastMs] of series.worth) {
    scrape.set('weighbridge_expected_value_satoshis_total', { site, lessee }, satoshis);
    scrape.set('weighbridge_last_share_timestamp_seconds', { site, lessee }, lastMs / 1000);
  }
  for (const [lease, site, verdict, shares, work] of series.leaseDelivered) {
    const labels = { lease, site, verdict };
    scrape.set('weighbridge_lease_shares_total', labels, shares);
    if (work !== null) scrape.set('weighbridge_lease_work_total', labels, work);
  }
  for (const [lease, satoshis, lastMs] of series.leaseWorth) {
    scrape.set('weighbridge_lease_expected_value_satoshis_total', { lease }, satoshis);
    scrape.set('weighbridge_lease_last_share_timestamp_seconds', { lease }, lastMs / 1000);
  }
  for (const [pool, verdict, reason, shares, work] of series.credited) {
    const labels = { pool, verdict, reason };
    scrape.set('weighbridge_pool_shares_total', labels, shares);
    scrape.set('weighbridge_pool_work_total', labels, work);
  }
}

export function contractMetrics(scrape: Exposition, contracts: readonly LeaseContract[], power: readonly SitePower[]): void {
  for (const { contracted, ...labels } of contracts) {
    scrape.set('weighbridge_lease_info', labels, 1);
    scrape.set('weighbridge_lease_contracted_hashes_per_second', { lease: labels.lease }, contracted);
  }
  for (const { site, watts, satoshisPerSecond } of power) {
    scrape.set('weighbridge_site_power_watts', { site }, watts);
    if (satoshisPerSecond !== undefined) scrape.set('weighbridge_site_power_cost_satoshis_per_second', { site }, satoshisPerSecond);
  }
}

export function rentMetrics(scrape: Exposition, rents: readonly LeaseRent[]): void {
  for (const { perDay, ...labels } of rents) scrape.set('weighbridge_lease_rent_per_day', labels, perDay);
}

export function leaseMetrics(scrape: Exposition, leases: readonly LeaseFigures[]): void {
  for (const { lease, state, owed, installed, seen, windows } of leases) {
    for (const each of LEASE_STATES) scrape.set('weighbridge_lease_state', { lease, state: each }, each === state ? 1 : 0);
    scrape.set('weighbridge_lease_owed_hashes_per_second', { lease }, owed);
    if (installed !== undefined) scrape.set('weighbridge_lease_installed_hashes_per_second', { lease }, installed);
    if (seen !== undefined) scrape.set('weighbridge_lease_seen_hashes_per_second', { lease }, seen);
    for (const { window, rate, low, high, ratio } of windows) {
      scrape.set('weighbridge_lease_delivered_hashes_per_second', { lease, window }, rate);
      scrape.set('weighbridge_lease_delivered_low_hashes_per_second', { lease, window }, low);
      if (high !== undefined) scrape.set('weighbridge_lease_delivered_high_hashes_per_second', { lease, window }, high);
      if (ratio !== undefined) scrape.set('weighbridge_lease_delivery_ratio', { lease, window }, ratio);
    }
  }
}
