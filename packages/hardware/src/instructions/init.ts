import type { InitTokenVerdicts } from '../init-token.js';
import { decodeInitToken, INIT_TOKEN_BYTES } from '../init-token.js';
import { decodeSigStruct, SIGSTRUCT_BYTES } from '../sigstruct.js';
import type { Instruction } from './instruction.js';
import type { Outcome } from './outcome.js';

/** What EINIT does not decide from bytes alone. */
export interface InitVerifiers {
  /** Does the signature of a SIGSTRUCT verify? Left out: yes. `verifySigStruct` of the real mode judges it. */
  readonly verifySigStruct?: ((bytes: Uint8Array) => boolean) | undefined;
  /** CPUSVN and MAC of an EINITTOKEN. Left out: both are good. */
  readonly verifyInitToken?: ((bytes: Uint8Array) => InitTokenVerdicts) | undefined;
}

/** EINIT: RBX SIGSTRUCT, RCX SECS, RDX EINITTOKEN. */
export function einit(i: Instruction, { verifySigStruct, verifyInitToken }: InitVerifiers): Outcome {
  const { rbx, rcx, rdx } = i.registers;
  i.requireAligned(rbx, 4096);
  i.requireAligned(rcx, 4096);
  const signature = i.read(rbx, SIGSTRUCT_BYTES);
  i.requireAligned(rdx, 512);
  const bytes = i.read(rdx, INIT_TOKEN_BYTES);
  const secs = i.epcPage(rcx);
  const token = decodeInitToken(bytes, verifyInitToken?.(bytes));
  const result = i.hardware.einit(i.cpu, secs, decodeSigStruct(signature, verifySigStruct), token);
  return i.end(result, { page: rcx });
}
