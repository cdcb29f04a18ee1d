/** `keys`: the keys that sign statements; `keys rotate` makes the next one. */
import { keyProblem, listKeys, rotateKey } from '../accounting/leases/keys.ts';
import { table } from './format.ts';
import { dataDirectory, keyDirectory } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';

export function keys(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const action = options.argument ?? 'show';
  if (action !== 'show' && action !== 'rotate') throw usageError(`There is no \`keys ${action}\`; there are show and rotate.`);
  const data = action === 'rotate' ? keyDirectory(options) : dataDirectory(options);
  if (action === 'rotate') rotateKey(data, io.world);
  const all = listKeys(data);
  const problem = keyProblem(all);
  if (problem !== undefined) throw new CommandError(problem);
  if (options.flags.has('json')) io.out(JSON.stringify(all, null, 2));
  else if (all.length === 0) io.out('There is no key yet. The first is made when a statement is issued, or by `weighbridge keys rotate`.');
  else io.out(table([{ title: 'key' }, { title: 'since (UTC)' }, { title: 'signed by' }, { title: 'public key (Ed25519, hex)' }], all.map(({ id, createdAt, signedBy, publicKey }) => [id, createdAt.slice(0, 16).replace('T', ' '), signedBy === '' ? '–' : signedBy, publicKey])));
  return Promise.resolve(EXIT.ok);
}
