import { EpckitError, leafNames, Mode, op, opMode, opObject, SgxCode, sgxCodeNames } from '@epckit/interface';

/** Lines that the example prints. */
export const output: string[] = [];
const print = (...parts: unknown[]): number => output.push(parts.join(' '));

// Codes have names, in both directions.
print(SgxCode.NOT_TRACKED, sgxCodeNames[11], leafNames[0x0b]);

// What a routine announces is one number: an object and how it is about to be touched.
const announced = op(42, Mode.ACQUIRE);
print(announced, opObject(announced), opMode(announced) === Mode.ACQUIRE);

// Errors are recognised by their code.
const error: unknown = new EpckitError('MY_POLICY_EMPTY', 'There is nothing to choose from.', ['pages: 0']);
if (error instanceof Error && 'code' in error) print(error.code, JSON.stringify(error));

for (const line of output) console.log(line);
