/** The product's own version. */
import { readFileSync } from 'node:fs';

/** As the package says: it lies two levels above the compiled module, or one above the source. */
export function version(): string {
  for (const place of ['../../../package.json', '../../package.json']) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      if (typeof found === 'object' && found !== null && 'version' in found && 'name' in found && found.name === 'weighbridge') {
        return String(found.version);
      }
    } catch {
      // Not this place.
    }
  }
  return 'unknown';
}
