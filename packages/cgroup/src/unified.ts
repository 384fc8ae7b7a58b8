import { MisuseError } from '@epckit/interface';
import { CgroupErrno } from './errno.js';
import type { MaxSetting } from './parse-max.js';
import { parseMax } from './parse-max.js';
import type { ResourceName } from './resource.js';
import { resourceNames, resourceOf } from './resource.js';

/** What a container's `linux.resources.unified` says, as far as the misc controller is concerned. */
export interface UnifiedResources {
  /** What to write to the group's `misc.max`, or undefined: the map does not limit anything here. */
  readonly miscMax: string | undefined;
  /** The same, read. */
  readonly setting: MaxSetting | undefined;
  /** Keys of files of other controllers, which this tree does not have: the caller decides about them. */
  readonly otherFiles: readonly string[];
}

/**
 * Reads `linux.resources.unified` of an OCI runtime configuration: files of the group and what to write to each, such
 * as `{ "misc.max": "sgx_epc 1048576" }`. The map has one value per file, hence one resource can be limited.
 *
 * @param resources names of the resources that exist
 * @throws MisuseError for a key that is no file name, a `misc` file that cannot be written, a value that the kernel
 * would refuse
 */
export function parseUnified(unified: unknown, resources: readonly ResourceName[]): UnifiedResources {
  if (typeof unified !== 'object' || unified === null || Array.isArray(unified)) {
    throw new MisuseError('linux.resources.unified must be a map from file names to texts.', [
      `given: ${JSON.stringify(unified)}`,
      EXAMPLE,
    ]);
  }
  for (const [file, value] of Object.entries(unified)) checkEntry(file, value);
  const miscMax = (unified as Record<string, string>)['misc.max'];
  return {
    miscMax,
    setting: miscMax === undefined ? undefined : readSetting(miscMax, resources),
    otherFiles: Object.keys(unified).filter((file) => file !== 'misc.max'),
  };
}

const EXAMPLE = 'example: { "misc.max": "sgx_epc 1048576" }';

function checkEntry(file: string, value: unknown): void {
  const place = `linux.resources.unified["${file}"]`;
  if (file === '' || file.includes('/')) {
    throw new MisuseError(`${place} is no file of the container's cgroup.`, [
      'allowed: a file name without /',
    ]);
  }
  if (file.startsWith('misc.') && file !== 'misc.max') {
    throw new MisuseError(`${place} cannot be set.`, [
      'the only misc file that can be written: misc.max',
      EXAMPLE,
    ]);
  }
  if (typeof value !== 'string') {
    throw new MisuseError(`${place} must be a text.`, [`given: ${JSON.stringify(value)}`, EXAMPLE]);
  }
}

function readSetting(value: string, names: readonly ResourceName[]): MaxSetting {
  const setting = parseMax(
    value,
    names.map((name) => resourceOf(name) as MaxSetting['resource']),
  );
  if (typeof setting !== 'number') return setting;
  const range = setting === -CgroupErrno.ERANGE ? ', a number that does not fit into 64 bits' : '';
  throw new MisuseError(
    `linux.resources.unified["misc.max"] is ${JSON.stringify(value)}${range}.`,
    [
      'accepted: "<resource> <amount>" or "<resource> max", one space between, one resource per write',
      `resources: ${resourceNames.filter((name) => names.includes(name)).join(', ')}`,
      'amount: bytes for sgx_epc; decimal, 0x hexadecimal or 0 octal, no unit, no sign but +',
    ],
    { hint: 'a limit of 1 MiB is "sgx_epc 1048576"' },
  );
}
