/**
 * Version rolling: three conventions for combining a job's version with the sixth parameter of a submit. They agree when
 * the job's version has no bits inside the mask, which is the normal case, and differ when it has.
 */

/** replace: BIP 310; xor: btcpool, public-pool, Bitaxe; or: ckpool, datum. */
export type Convention = 'replace' | 'xor' | 'or';

const CONVENTIONS: readonly Convention[] = ['replace', 'xor', 'or'];

/** The header version that a convention makes of a job's version and the rolled bits; bits outside the mask are ignored. */
export function combine(convention: Convention, jobVersion: number, mask: number, bits: number): number {
  switch (convention) {
    case 'replace':
      return ((jobVersion & ~mask) | (bits & mask)) >>> 0;
    case 'xor':
      return (jobVersion ^ (bits & mask)) >>> 0;
    case 'or':
      return (jobVersion | (bits & mask)) >>> 0;
  }
}

/** The sixth parameter that makes `headerVersion` under a convention; undefined when no value does. */
export function bitsFor(convention: Convention, jobVersion: number, mask: number, headerVersion: number): number | undefined {
  if (((headerVersion ^ jobVersion) & ~mask) !== 0) return undefined;
  switch (convention) {
    case 'replace':
      return (headerVersion & mask) >>> 0;
    case 'xor':
      return ((headerVersion ^ jobVersion) & mask) >>> 0;
    case 'or':
      // Bits that the job has set cannot be cleared by or-ing.
      if ((jobVersion & mask & ~headerVersion) !== 0) return undefined;
      return (headerVersion & mask & ~jobVersion) >>> 0;
  }
}

/** The part of a pool's mask that may be passed on: bits an or-pool's own version occupies cannot be rolled. */
export function grantableMask(convention: Convention | 'auto', jobVersion: number, mask: number): number {
  const free = convention === 'replace' || convention === 'xor' ? mask : mask & ~jobVersion;
  return free >>> 0;
}

export interface CandidateVersion {
  /** The one convention this version would prove; undefined when it would prove none. */
  readonly convention: Convention | undefined;
  readonly version: number;
}

/**
 * Header versions worth hashing for a submit, the most likely first, without repetition. `known` is the convention the
 * session has shown before. Some clients send the full header version as their bits: taken when what lies outside the
 * mask equals the job's. Other bits outside the mask give an empty list (verdict bad-version).
 */
export function candidateVersions(
  jobVersion: number,
  mask: number,
  bits: number | undefined,
  known: Convention | undefined,
): CandidateVersion[] {
  if (bits === undefined) return [{ convention: undefined, version: jobVersion >>> 0 }];
  const outside = bits & ~mask;
  if (outside !== 0) {
    return outside === (jobVersion & ~mask) ? [{ convention: undefined, version: bits >>> 0 }] : [];
  }
  const versions = CONVENTIONS.map((convention) => combine(convention, jobVersion, mask, bits));
  const order = known === undefined ? CONVENTIONS : [known, ...CONVENTIONS.filter((convention) => convention !== known)];
  const candidates: CandidateVersion[] = [];
  for (const convention of order) {
    const version = combine(convention, jobVersion, mask, bits);
    if (candidates.some((candidate) => candidate.version === version)) continue;
    const proves = versions.filter((other) => other === version).length === 1;
    candidates.push({ convention: proves ? convention : undefined, version });
  }
  return candidates;
}
