import { z } from 'zod';

/**
 * A key that is known but has no effect yet: its only value is 1, and anything else is refused by name.
 *
 * @param meaning - for editors
 * @param why - continues "KEY is VALUE, but …"
 */
export function onlyOne(meaning: string, why: string) {
  return z
    .unknown()
    .optional()
    .transform((value, context): 1 => {
      if (value === undefined || value === 1) return 1;
      const message = `is ${JSON.stringify(value)}, but ${why}`;
      const hint = 'Leave the key out, or give 1.';
      context.issues.push({ code: 'custom', message, params: { hint }, input: value });
      return z.NEVER;
    })
    .meta({ const: 1, default: 1, description: meaning });
}

/** A key that is known but not carried yet: any value is refused by name. */
export function notYet(meaning: string, why: string) {
  return z
    .unknown()
    .optional()
    .transform((value, context): undefined => {
      if (value === undefined) return undefined;
      const params = { hint: 'Leave the key out.' };
      context.issues.push({ code: 'custom', message: `cannot be given: ${why}`, params, input: value });
      return z.NEVER;
    })
    .meta({ not: {}, description: `${meaning} (not yet: the key is refused)` });
}
