/** PromQL taken apart by Prometheus' own grammar for editors. */
import { parser } from '@prometheus-io/lezer-promql';

/** What the grammar does not understand, with a little of what follows; [] when all is well. */
export function syntaxErrors(expr: string): string[] {
  const errors: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ type, from }) => {
      if (type.isError) errors.push(`at ${from}: ${expr.slice(from, from + 30)}`);
    },
  });
  return errors;
}

/** Names of the metrics that an expression selects, each once. */
export function metricsIn(expr: string): string[] {
  return [...new Set(selectorsIn(expr).map((selector) => /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(selector)?.[0] ?? selector))];
}

/** Every vector selector of an expression, with its labels and without its range. */
export function selectorsIn(expr: string): string[] {
  const selectors: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ name, from, to }) => {
      if (name === 'VectorSelector') selectors.push(expr.slice(from, to));
    },
  });
  return selectors;
}
