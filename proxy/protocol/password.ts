/** Options that operators put into the password: `x,d=65536;md=1024`. Not a standard; unknown keys are ignored. */

export interface PasswordOptions {
  /** d= or diff=: the difficulty, fixed. */
  readonly difficulty: number | undefined;
  /** sd=: the difficulty to start with. */
  readonly startDifficulty: number | undefined;
  /** md=: never go below this. */
  readonly minimumDifficulty: number | undefined;
}

const OPTION = /^\s*(d|diff|sd|md)\s*=\s*(\d{1,20}(?:\.\d{1,20})?)\s*$/i;

/** Reads the list; a later option of the same meaning wins. Values are positive and not yet clamped to any policy. */
export function passwordOptions(password: string): PasswordOptions {
  let difficulty: number | undefined;
  let startDifficulty: number | undefined;
  let minimumDifficulty: number | undefined;
  for (const part of password.split(/[,;]/)) {
    const option = OPTION.exec(part);
    const value = Number(option?.[2]);
    if (option === null || !(value > 0)) continue;
    const key = option[1]?.toLowerCase();
    if (key === 'md') minimumDifficulty = value;
    else if (key === 'sd') startDifficulty = value;
    else difficulty = value;
  }
  return { difficulty, startDifficulty, minimumDifficulty };
}
