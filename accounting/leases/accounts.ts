/** Who settles with whom under a lease, and in which currency: what its balance has a row for, and what payments may be made on. */
import { componentOf, type LeaseTerms } from './terms.ts';

/** Between two parties, in the order of their ids. */
export interface Account {
  readonly first: string;
  readonly second: string;
  readonly currency: string;
}

/** What may be paid under a lease. */
export interface Payers {
  readonly parties: readonly string[];
  readonly accounts: readonly Account[];
}

/** By all terms that a lease has or had: what was due under old ones is still to be paid. */
export function payersOf(all: readonly LeaseTerms[]): Payers {
  const accounts = new Map<string, Account>();
  for (const { lease } of all) {
    for (const rent of lease.rent) {
      const component = componentOf(rent);
      const currency = component === 'revenueShare' ? 'BTC' : (rent[component]?.currency ?? 'BTC');
      open(accounts, rent.payer, rent.payee, currency);
      // The performer pays the service credit to the other side of the rent.
      if (lease.service?.of === component) open(accounts, lease.performer, rent.payer === lease.performer ? rent.payee : rent.payer, currency);
    }
  }
  return { parties: [...new Set(all.flatMap(({ parties }) => Object.keys(parties)))].toSorted(), accounts: [...accounts.values()] };
}

function open(accounts: Map<string, Account>, a: string, b: string, currency: string): void {
  if (a === b) return;
  const [first, second] = a < b ? [a, b] : [b, a];
  accounts.set(`${currency} ${first} ${second}`, { first, second, currency });
}

/** Why nothing can be paid between two parties in a currency, without its subject; undefined where it can. */
export function accountProblem({ accounts }: Payers, payer: string, payee: string, currency: string): string | undefined {
  const between = accounts.filter(({ first, second }) => (first === payer && second === payee) || (first === payee && second === payer));
  if (between.some((account) => account.currency === currency)) return undefined;
  if (between.length > 0) return `in which ${payer} and ${payee} have no account: theirs are in ${between.map((account) => account.currency).toSorted().join(' and ')}`;
  return `but ${payer} and ${payee} settle nothing between them: there is ${accounts.map(({ first, second, currency: of }) => `${first} with ${second} in ${of}`).join(', ')}`;
}
