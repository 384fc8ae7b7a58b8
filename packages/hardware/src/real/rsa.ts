import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { HardwareMisuse } from '../errors.js';
import type { FieldPlace } from '../sigstruct.js';
import {
  bytesAt,
  RSA_BYTES,
  RSA_EXPONENT,
  readInteger,
  SigStructOffset,
  signedBytes,
  writeField,
} from '../sigstruct.js';

const MODULUS: FieldPlace = [SigStructOffset.MODULUS, RSA_BYTES];
const EXPONENT: FieldPlace = [SigStructOffset.EXPONENT, 4];
const SIGNATURE: FieldPlace = [SigStructOffset.SIGNATURE, RSA_BYTES];
const Q1: FieldPlace = [SigStructOffset.Q1, RSA_BYTES];
const Q2: FieldPlace = [SigStructOffset.Q2, RSA_BYTES];

/**
 * Does the signature of a SIGSTRUCT verify (row 6 of EINIT)? RSA-3072 with exponent 3, PKCS#1 v1.5 with SHA-256,
 * over `signedBytes`; numbers are little-endian. Q1 and Q2 must be the quotients that spare the processor its
 * divisions: Q1 = S² / M and Q2 = (S³ - Q1 · S · M) / M, rounded down (formula: crate `sgxs`; that EINIT
 * refuses wrong ones with the code of a wrong signature is unconfirmed).
 *
 * Does not judge headers and reserved bytes: `decodeSigStruct` does.
 *
 * @throws HardwareMisuse for another number of bytes than a SIGSTRUCT has
 */
export function verifySigStruct(bytes: Uint8Array): boolean {
  const message = signedBytes(bytes);
  const modulus = readInteger(bytes, MODULUS);
  const signature = readInteger(bytes, SIGNATURE);
  if (readInteger(bytes, EXPONENT) !== BigInt(RSA_EXPONENT) || signature >= modulus) return false;
  const { q1, q2 } = quotients(signature, modulus);
  if (readInteger(bytes, Q1) !== q1 || readInteger(bytes, Q2) !== q2) return false;
  try {
    return verify('sha256', message, publicKey(bytes), reversed(bytesAt(bytes, SIGNATURE)));
  } catch {
    return false; // MODULUS is no RSA modulus
  }
}

/**
 * A signed copy of a SIGSTRUCT: MODULUS, EXPONENT, SIGNATURE, Q1 and Q2 are filled in.
 *
 * @param privateKey RSA-3072 with exponent 3, as {@link generateSigner} makes
 * @throws HardwareMisuse for another key, and for another number of bytes than a SIGSTRUCT has
 */
export function signSigStruct(unsigned: Uint8Array, privateKey: KeyObject): Uint8Array {
  const message = signedBytes(unsigned);
  requireSigner(privateKey);
  const { n = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const bytes = Uint8Array.from(unsigned);
  writeField(bytes, MODULUS, 'MODULUS', reversed(Buffer.from(n, 'base64url')));
  writeField(bytes, EXPONENT, 'EXPONENT', RSA_EXPONENT);
  writeField(bytes, SIGNATURE, 'SIGNATURE', reversed(sign('sha256', message, privateKey)));
  const { q1, q2 } = quotients(readInteger(bytes, SIGNATURE), readInteger(bytes, MODULUS));
  writeField(bytes, Q1, 'Q1', q1);
  writeField(bytes, Q2, 'Q2', q2);
  return bytes;
}

/** A new private key for {@link signSigStruct}. Takes about a second; for tests and examples, never stored. */
export function generateSigner(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 8 * RSA_BYTES, publicExponent: RSA_EXPONENT })
    .privateKey;
}

function requireSigner(key: KeyObject): void {
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  const isRsa = key.type === 'private' && key.asymmetricKeyType === 'rsa';
  if (isRsa && modulusLength === 8 * RSA_BYTES && publicExponent === BigInt(RSA_EXPONENT)) return;
  throw new HardwareMisuse(
    'SIGSTRUCT is signed with a private RSA key of 3072 bits and exponent 3.',
    [
      `given: ${key.type} ${key.asymmetricKeyType ?? 'key'}, ${modulusLength} bits, exponent ${publicExponent}`,
    ],
    'Make one with generateSigner or `openssl genrsa -3 3072`.',
  );
}

function quotients(signature: bigint, modulus: bigint): { q1: bigint; q2: bigint } {
  const square = signature * signature;
  const q1 = square / modulus;
  // (S³ - Q1 · S · M) / M with the remainder of the square taken out.
  const q2 = ((square - q1 * modulus) * signature) / modulus;
  return { q1, q2 };
}

function publicKey(bytes: Uint8Array): KeyObject {
  const n = Buffer.from(reversed(bytesAt(bytes, MODULUS))).toString('base64url');
  return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'Aw' } });
}

/** The other byte order; a copy. */
function reversed(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes).reverse();
}
