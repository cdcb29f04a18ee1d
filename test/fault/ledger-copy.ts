/** Copies of the embedded ledger as a file copy takes it: the database and what is not yet merged into it. */
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { ledgerFile } from '../../accounting/store.ts';
import type { Instance } from './instance.ts';

export function removeLedger(dataDir: string): void {
  for (const part of ['', '-wal', '-shm']) rmSync(ledgerFile(dataDir) + part, { force: true });
}

export function copyLedger(fromDir: string, toDir: string): void {
  removeLedger(toDir);
  for (const part of ['', '-wal']) {
    if (existsSync(ledgerFile(fromDir) + part)) copyFileSync(ledgerFile(fromDir) + part, ledgerFile(toDir) + part);
  }
}

/** Copies the ledger while the accountant stands still, wherever it is. */
export async function takeLedgerCopy(instance: Instance, into: string): Promise<void> {
  const { accountant } = await instance.pids();
  await instance.processes.stopped([accountant]);
  mkdirSync(into, { recursive: true });
  copyLedger(instance.dataDir, into);
  instance.processes.signal(accountant, 'SIGCONT');
}
