/** A lease in sentences: who leases what to whom, who pays whom for what, and what happens when less is delivered. */
import { previousDate } from '../../config/calendar.ts';
import type { LeaseConfig, LeaseKind, RentConfig } from '../../config/leases.ts';
import { decimal, decimalText, exact, times } from './exact.ts';
import { LOSS_CAUSES, rateTerahashDays, type LossCause } from './quantities.ts';
import { componentOf, partyName, type LeaseTerms } from './terms.ts';

const KIND_WORDS: Readonly<Record<LeaseKind, string>> = { leaseback: 'sale and leaseback', hosting: 'hosting contract', purchase: 'purchase of hash rate' };

const CAUSE_WORDS: Readonly<Record<LossCause, string>> = {
  poolStale: 'Work that a pool refuses as stale',
  poolOther: 'Work that a pool refuses otherwise or never answers',
  noPool: 'Work that finds no pool',
  unjournaled: 'Work that could not be journaled',
};

/** `12.5 PH/s` of hashes per second as decimal text. */
export function rateText(hashesPerSecond: string): string {
  const units = [['EH/s', 18], ['PH/s', 15], ['TH/s', 12], ['GH/s', 9], ['MH/s', 6], ['kH/s', 3]] as const;
  const [unit, places] = units.find(([, digits]) => hashesPerSecond.length > digits) ?? ['H/s', 0];
  const value = decimalText(times(decimal(hashesPerSecond), exact(1n, 10n ** BigInt(places))), 9);
  return `${value.replace(/\.?0+$/, '')} ${unit}`;
}

/** Which machines: "worker names acme.* at site north". */
export function machinesText({ machines }: LeaseConfig): string {
  const parts = [
    ...(machines.workers.length > 0 ? [`with worker names ${machines.workers.join(', ')}`] : []),
    ...(machines.sites.length > 0 ? [`at ${machines.sites.length === 1 ? 'site' : 'sites'} ${machines.sites.join(', ')}`] : []),
    ...(machines.from.length > 0 ? [`with addresses in ${machines.from.join(', ')}`] : []),
  ];
  return `the machines ${parts.join(' and ')}`;
}

/** Kind, parties, machines and term. */
function subjectSentences(terms: LeaseTerms): string[] {
  const { lease } = terms;
  const name = (id: string): string => partyName(terms, id);
  const verb = { leaseback: 'leases', hosting: 'gives', purchase: 'sells the hash rate of' }[lease.kind];
  const [first, last] = [lease.term.from, previousDate(lease.term.to)];
  return [
    `${terms.id} is a ${KIND_WORDS[lease.kind]}${lease.contractRef === undefined ? '' : `, number ${lease.contractRef}`}.`,
    `${name(lease.lessor)} ${verb} ${machinesText(lease)} to ${name(lease.lessee)}${lease.kind === 'hosting' ? ' to be hosted' : ''}, from ${first} to ${last}, days of ${lease.timezone}.`,
    `${name(lease.performer)} owes ${rateText(lease.contracted)}${lease.link === 'exclusive' ? ', over an upstream link of its own' : ''}; work counts when it is ${lease.basis === 'credited' ? 'credited by the pool' : 'delivered to the proxy'}.`,
    `${name(lease.residual)} keeps what value is left after all payments.`,
  ];
}

/** "…, and 19% tax on it" where a rate is stated. */
function payment(terms: LeaseTerms, rent: RentConfig): string {
  const sentence = untaxed(terms, rent);
  return rent.tax === undefined ? sentence : `${sentence.slice(0, -1)}, and ${rent.tax}% tax on it.`;
}

function untaxed(terms: LeaseTerms, rent: RentConfig): string {
  const who = `${partyName(terms, rent.payer)} pays ${partyName(terms, rent.payee)}`;
  const component = componentOf(rent);
  if (component === 'revenueShare') {
    if (rent.of === 'earnings') return `${who} ${rent.revenueShare}% of what pools paid for the work after their fee, as imported, in BTC.`;
    const fee = rent.poolFee === undefined ? '' : `, after a pool fee of ${rent.poolFee}%`;
    return `${who} ${rent.revenueShare}% of what the work is expected to be worth by each share's own job${fee}, in BTC.`;
  }
  const { amount, currency } = rent[component] ?? { amount: '0', currency: '' };
  if (component === 'hosting' && rent.metered !== undefined) return `${who} ${amount} ${currency} for each kWh that meter ${rent.metered} counts.`;
  if (component === 'hosting') return `${who} ${amount} ${currency} for each kWh, at ${rent.efficiency} J for each terahash delivered.`;
  const daily = times(decimal(amount), rateTerahashDays(terms.lease.contracted, 86_400_000));
  const about = `${decimalText(daily, currency === 'BTC' ? 8 : 2)} ${currency} a day${component === 'fixed' ? '' : ' at the contracted rate'}`;
  return `${who} ${amount} ${currency} for each ${component === 'fixed' ? 'contracted TH/s and day' : 'TH·day delivered'}: ${about}.`;
}

function service(terms: LeaseTerms): string[] {
  const { lease } = terms;
  const clause = lease.service;
  if (clause === undefined) return [`No credit is agreed for hash rate that is not delivered.`];
  const payee = lease.rent.find((rent) => rent[clause.of] !== undefined);
  const other = payee === undefined ? lease.lessor : payee.payer === lease.performer ? payee.payee : payee.payer;
  const step = clause.step === 'points' ? 'whole percentage point' : 'percentage point and part of one';
  return [
    `If the work that counts in a ${clause.per} is below ${clause.target}% of what is owed, ${partyName(terms, lease.performer)} credits ${partyName(terms, other)} ${clause.creditPerPoint}% of the ${clause.of} rent for each ${step} below, at most ${clause.cap}% of it.`,
    `Chance is excused by 2.6 standard deviations of the measurement, and by no more than ${lease.minSharesPerMinute} shares a minute would have.${clause.offset || clause.per === 'day' ? '' : ' A day above contract does not make up for one below; of what that cuts off, as much as chance alone takes, 0.4 standard deviations of a day, is excused too.'}`,
  ];
}

function losses(terms: LeaseTerms): string[] {
  const { lease } = terms;
  return LOSS_CAUSES.map((cause) => `${CAUSE_WORDS[cause]} is the loss of ${partyName(terms, lease[lease.lossBorneBy[cause]])}.`);
}

function rest(terms: LeaseTerms): string[] {
  const { overDelivery, curtailment, unmeasured } = terms.lease;
  const above = overDelivery === undefined || overDelivery.then === 'paid' ? 'All delivered work counts, also above contract.' : `Work counts up to ${overDelivery.upTo}% above contract; beyond it, it is ${overDelivery.then === 'free' ? 'free' : 'carried to the next statement'}.`;
  const gaps = unmeasured === 'excused' ? 'Time in which nobody observed, because no proxy process ran, is not owed; fixed rent stays due for it.' : 'Time in which nobody observed is owed, and nothing counts as delivered in it.';
  if (curtailment === undefined) return [above, gaps, 'No curtailment is agreed: no hour is excused by it.'];
  const due = curtailment.rent === 'due' ? 'fixed rent stays due' : 'no fixed rent is due';
  return [above, gaps, `Up to ${curtailment.annualCapHours} hours a year may be curtailed; ${due} for them, and the grid's payment is ${partyName(terms, curtailment.creditTo)}'s.`];
}

/** All of a lease, one sentence a line. */
export function leaseSentences(terms: LeaseTerms): string[] {
  return [...subjectSentences(terms), ...terms.lease.rent.map((rent) => payment(terms, rent)), ...service(terms), ...losses(terms), ...rest(terms)];
}

/** The short form: who pays whom, what for. */
export function paymentSentences(terms: LeaseTerms): string[] {
  return [...terms.lease.rent.map((rent) => payment(terms, rent)), ...service(terms).slice(0, 1)];
}
