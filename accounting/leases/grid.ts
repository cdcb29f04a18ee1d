/** What a grid paid for curtailed hours: stated by the party that received it, owed to the party that the contract gives it to. */
import { decimal, exact, floor, times } from './exact.ts';
import type { Statement as Stated } from './excused.ts';
import { placesOf, type GridPayment } from './valuation.ts';

/** `9500.00 USD`, in smallest units; undefined for anything else. Zero is one: a grid may have paid nothing, after all. */
export function readAmount(text: string): Pick<GridPayment, 'amount' | 'currency'> | undefined {
  const [figure = '', currency = ''] = /^(\d{1,15}(?:\.\d{1,17})?) ([A-Z]{3})$/.exec(text)?.slice(1) ?? [];
  if (currency === '' || (figure.split('.')[1]?.length ?? 0) > placesOf(currency)) return undefined;
  return { amount: floor(times(decimal(figure), exact(10n ** BigInt(placesOf(currency))))), currency };
}

/** Those of what was stated. */
export function gridPayments(stated: readonly Stated[]): GridPayment[] {
  return stated.flatMap(({ what, fromMs, toMs, by, amount }) => {
    const read = what === 'paid' ? readAmount(amount ?? '') : undefined;
    return read === undefined ? [] : [{ fromMs, toMs, by, ...read }];
  });
}
