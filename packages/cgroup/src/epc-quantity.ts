import { MisuseError, PAGE_SIZE_BYTES } from '@epckit/interface';

/** An amount of EPC that a pod asks for. */
export interface EpcQuantity {
  /** Bytes. */
  readonly bytes: number;
  /** Whole EPC pages in it: what a limit of so many bytes lets a group have. */
  readonly pageCount: number;
  /** What the chain from the pod to the runtime writes to `misc.max`. */
  readonly miscMax: string;
}

/** A suffix of Kubernetes as a fraction of whole numbers. */
const SUFFIXES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  '': [1n, 1n],
  n: [1n, 10n ** 9n],
  u: [1n, 10n ** 6n],
  m: [1n, 1000n],
  k: [1000n, 1n],
  M: [10n ** 6n, 1n],
  G: [10n ** 9n, 1n],
  T: [10n ** 12n, 1n],
  P: [10n ** 15n, 1n],
  E: [10n ** 18n, 1n],
  Ki: [2n ** 10n, 1n],
  Mi: [2n ** 20n, 1n],
  Gi: [2n ** 30n, 1n],
  Ti: [2n ** 40n, 1n],
  Pi: [2n ** 50n, 1n],
  Ei: [2n ** 60n, 1n],
};

/** Sign, digits, and either a suffix or a decimal exponent. Bounded, so that no exponent makes a huge number. */
const QUANTITY =
  /^(?<sign>[+-]?)(?<whole>\d{0,40})(?:\.(?<part>\d{0,40}))?(?:[eE](?<exponent>[+-]?\d{1,2})|(?<suffix>[A-Za-z]{0,2}))$/;

/**
 * Reads the Kubernetes quantity of `sgx.intel.com/epc`: bytes, with an optional suffix such as `Ki` or `M`. Extended
 * resources are whole numbers, hence `0.5Ki` is an amount and `1500m` is none.
 *
 * A number without a suffix is bytes. `10`, where 10 MiB were meant, is therefore accepted, and has no page:
 * see {@link EpcQuantity.pageCount}.
 *
 * @throws MisuseError for anything else
 */
export function parseEpcQuantity(quantity: string | number): EpcQuantity {
  const groups = QUANTITY.exec(String(quantity))?.groups;
  const { sign, whole = '', part = '', exponent, suffix } = groups ?? {};
  if (groups === undefined || whole + part === '') throw bad(quantity, 'is no quantity');
  const scale = exponent === undefined ? SUFFIXES[suffix ?? ''] : powerOfTen(Number(exponent));
  if (scale === undefined)
    throw bad(quantity, `has the unknown suffix '${suffix}'${similar(suffix as string)}`);
  const numerator = BigInt(whole + part) * scale[0];
  const denominator = 10n ** BigInt(part.length) * scale[1];
  if (sign === '-' && numerator !== 0n) throw bad(quantity, 'is negative');
  if (numerator % denominator !== 0n) throw bad(quantity, 'is not a whole number of bytes');
  const bytes = numerator / denominator;
  if (bytes > Number.MAX_SAFE_INTEGER) throw bad(quantity, 'is more than 2^53 - 1 bytes');
  return {
    bytes: Number(bytes),
    pageCount: Math.floor(Number(bytes) / PAGE_SIZE_BYTES),
    miscMax: `sgx_epc ${bytes}`,
  };
}

function powerOfTen(exponent: number): readonly [bigint, bigint] {
  return exponent < 0 ? [1n, 10n ** BigInt(-exponent)] : [10n ** BigInt(exponent), 1n];
}

/** The suffix that was probably meant. */
function similar(suffix: string): string {
  const first = suffix.charAt(0).toUpperCase();
  return 'KMGTPE'.includes(first) ? `; did you mean '${first}i'?` : '';
}

function bad(quantity: string | number, what: string): MisuseError {
  return new MisuseError(`sgx.intel.com/epc: ${JSON.stringify(quantity)} ${what}.`, [
    'accepted: bytes as a whole number (1048576), or with a suffix',
    'suffixes: Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024); k, M, G, T, P, E (powers of 1000); an exponent (1e6)',
    'the amount must be a whole number of bytes, 0 or more',
  ]);
}
