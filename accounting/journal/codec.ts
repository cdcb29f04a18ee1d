/** Facts ↔ record bodies, as docs/journal.md describes them byte by byte. */
export { decodeFact } from './decode.ts';
export { encodeFact } from './encode.ts';
