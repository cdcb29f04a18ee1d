/** Quantiles of the χ² distribution through the regularised incomplete gamma function. */

const HALF_LOG_2PI = 0.9189385332046727;

/** ln Γ(x) for x > 0: Stirling's series with its Bernoulli terms, after raising x to at least 12. Error below 1e-14. */
export function logGamma(x: number): number {
  let shift = 0;
  let raised = x;
  while (raised < 12) {
    shift += Math.log(raised);
    raised += 1;
  }
  const r = 1 / (raised * raised);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - r * (691 / 360360)))))) / raised;
  return (raised - 0.5) * Math.log(raised) - raised + HALF_LOG_2PI + series - shift;
}

const EPSILON = 1e-15;
const TERMS_MAX = 100_000;

/** P(a, x) = γ(a, x)/Γ(a), for a > 0 and x ≥ 0. */
export function lowerGamma(a: number, x: number): number {
  if (x <= 0) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  return x < a + 1 ? front * powerSeries(a, x) : 1 - front * continuedFraction(a, x);
}

/** Σ x^i/(a(a+1)…(a+i)): converges quickly for x < a + 1. */
function powerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let i = 1; i < TERMS_MAX; i += 1) {
    term *= x / (a + i);
    sum += term;
    if (term < sum * EPSILON) break;
  }
  return sum;
}

/** Legendre's continued fraction of Γ(a, x), evaluated forwards by Steed's recurrence: for x ≥ a + 1. */
function continuedFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let d = 1 / b;
  let delta = d;
  let sum = d;
  for (let i = 1; i < TERMS_MAX; i += 1) {
    const numerator = -i * (i - a);
    b += 2;
    d = 1 / (b + numerator * d);
    delta *= b * d - 1;
    sum += delta;
    if (Math.abs(delta) < Math.abs(sum) * EPSILON) break;
  }
  return sum;
}

/**
 * x with P(χ²_degrees ≤ x) = probability. Bisection inside a bracket, so that no start value can mislead it.
 *
 * @param probability In (0, 1).
 * @param degrees Positive, may be fractional.
 */
export function chiSquareQuantile(probability: number, degrees: number): number {
  const a = degrees / 2;
  let low = 0;
  let high = Math.max(1, a + 8 * Math.sqrt(a));
  while (lowerGamma(a, high) < probability) high *= 2;
  let x = guess(probability, a, high);
  for (let step = 0; step < 200; step += 1) {
    const error = lowerGamma(a, x) - probability;
    if (error < 0) low = x;
    else high = x;
    const density = Math.exp((a - 1) * Math.log(x) - x - logGamma(a));
    const newton = x - error / density;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - x) <= 1e-14 * x) return 2 * next;
    x = next;
  }
  return 2 * x;
}

/** Wilson and Hilferty's cube for the two probabilities the ledger uses, else the middle. */
function guess(probability: number, a: number, high: number): number {
  const z = probability === 0.975 ? 1.96 : probability === 0.025 ? -1.96 : 0;
  const cube = 1 - 1 / (9 * a) + z * Math.sqrt(1 / (9 * a));
  const x = a * cube * cube * cube;
  return x > 0 && x < high ? x : high / 2;
}
