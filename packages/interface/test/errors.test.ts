import { describe, expect, it } from 'vitest';
import { EpckitError, InvariantViolation, MisuseError } from '../src/index.js';

describe.each([
  { Kind: InvariantViolation, name: 'InvariantViolation', code: 'EPCKIT_INVARIANT' },
  { Kind: MisuseError, name: 'MisuseError', code: 'EPCKIT_MISUSE' },
])('$name', ({ Kind, name, code }) => {
  const cause = new RangeError('too far');
  const error = new Kind('A page is lost.', ['page: 7'], { hint: 'Look at the lists.', cause });

  it('is recognised by its code', () => {
    expect(error.code).toBe(code);
    expect(error.name).toBe(name);
  });

  it('is an ordinary error with message, cause and stack', () => {
    expect(error).toBeInstanceOf(EpckitError);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe(`${name}: A page is lost.`);
    expect(error.cause).toBe(cause);
    expect(error.stack).toContain('errors.test');
  });

  it('gives everything but the stack as JSON', () => {
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name,
      code,
      message: 'A page is lost.',
      details: ['page: 7'],
      hint: 'Look at the lists.',
    });
  });

  it('needs no more than a message', () => {
    const short = new Kind('No.');
    expect(short.details).toEqual([]);
    expect(short.hint).toBeUndefined();
    expect('cause' in short).toBe(false);
  });
});

describe('EpckitError', () => {
  it('takes a code of its own, for errors of other packages', () => {
    class PolicyError extends EpckitError {
      constructor() {
        super('MY_POLICY_EMPTY', 'Nothing to choose from.');
      }
    }
    expect(new PolicyError()).toMatchObject({ name: 'PolicyError', code: 'MY_POLICY_EMPTY' });
  });
});
