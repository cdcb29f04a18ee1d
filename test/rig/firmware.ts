/** How makes of machine differ on the wire (reference §2, §3, §13). */

export interface Firmware {
  /** What it calls itself in mining.subscribe. */
  readonly userAgent: string;
  /** Further parameters of mining.subscribe after agent and session. */
  readonly subscribeTail: readonly unknown[];
  /** Sends configure, subscribe and authorize without waiting for answers. */
  readonly pipelines: boolean;
  /** The mask asked for in mining.configure; undefined: sends no configure. */
  readonly askMask: string | undefined;
  /** Rolls under this mask although it never sent configure (S21 through a marketplace); 0: does not. */
  readonly assumedMask: number;
  /** What it puts in the sixth parameter. */
  readonly bits: 'masked' | 'xor' | 'full';
  /** Writes the nonce without leading zeros. */
  readonly unpaddedNonce: boolean;
  /** All submits carry the same id. */
  readonly sameSubmitId: boolean;
  readonly extranonceSubscribe: boolean;
  /** Answers mining.ping as a method `pong` rather than a result. */
  readonly pongAsMethod: boolean;
}

const PLAIN: Firmware = {
  userAgent: 'cgminer/4.12.1',
  subscribeTail: [],
  pipelines: false,
  askMask: '1fffe000',
  assumedMask: 0,
  bits: 'masked',
  unpaddedNonce: false,
  sameSubmitId: false,
  extranonceSubscribe: false,
  pongAsMethod: false,
};

const S21_AGENT = 'Antminer S21/Mon Mar 18 2024';

export const FIRMWARES = {
  cgminer: PLAIN,
  antminer: { ...PLAIN, userAgent: S21_AGENT, extranonceSubscribe: true },
  /** Sends version bits without having negotiated them. */
  marketplace: { ...PLAIN, userAgent: S21_AGENT, askMask: undefined, assumedMask: 0x1fffe000 },
  bitaxe: { ...PLAIN, userAgent: 'bitaxe/BM1370/v2.9.0', pipelines: true, askMask: 'ffffffff', bits: 'xor', extranonceSubscribe: true, pongAsMethod: true },
  braiins: { ...PLAIN, userAgent: 'Braiins OS 24.09', subscribeTail: [null, '127.0.0.1:3333', null] },
  whatsminer: { ...PLAIN, userAgent: 'whatsminer/v1.0', subscribeTail: ['b08cf00d1'] },
  luxminer: { ...PLAIN, userAgent: 'Antminer S19k Pro|LUXminer 2025.7.1|x', subscribeTail: [null, '127.0.0.1:3333', null] },
  fullVersion: { ...PLAIN, userAgent: 'xminer-1.2.6', bits: 'full' },
  nerdminer: { ...PLAIN, userAgent: 'NerdMinerV2/1.7.0', askMask: undefined, unpaddedNonce: true },
  cpuminer: { ...PLAIN, userAgent: 'cpuminer-opt/24.5', askMask: undefined, sameSubmitId: true },
} as const satisfies Record<string, Firmware>;
export type FirmwareName = keyof typeof FIRMWARES;
