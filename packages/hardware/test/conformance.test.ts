import type { SgxHardwareSize, SgxHardwareSubject } from '@epckit/conformance';
import { sgxHardwareCases } from '@epckit/conformance';
import type { HardwareModel } from '@epckit/hardware';
import { createByteBlob, createSgxHardware, PAGE_BYTES } from '@epckit/hardware';
import { realContents } from '@epckit/hardware/real';
import { PageType, SecInfo } from '@epckit/interface';
import { describe, it } from 'vitest';
import { createObjects, newBlob } from './fixture.js';

function tags(size: SgxHardwareSize): SgxHardwareSubject {
  const hardware = createSgxHardware(size, { objects: createObjects(), monitor: null, probe: null });
  return { hardware, newBlob };
}

/** 4096 bytes for a number: quadword 0 of a page, NSSA of a TCS. */
function bytesFor(number: number, secinfo: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(PAGE_BYTES));
  const isThread = (secinfo >> SecInfo.TYPE_SHIFT) % 256 === PageType.TCS;
  bytes.setUint32(isThread ? 28 : 0, number, true);
  return new Uint8Array(bytes.buffer);
}

function realBytes(size: SgxHardwareSize): SgxHardwareSubject {
  const contents = realContents();
  const parts = { objects: createObjects(), monitor: null, probe: null, contents };
  const hardware = createSgxHardware(size, parts);
  const eadd: HardwareModel['eadd'] = (cpu, target, secs, linearPage, secinfo, number) =>
    hardware.eaddBytes(cpu, target, secs, linearPage, secinfo, bytesFor(number, secinfo));
  const withBytes = new Proxy(hardware, {
    get(target, key) {
      if (key === 'eadd') return eadd;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { hardware: withBytes, newBlob: createByteBlob };
}

describe.each([
  ['tags', tags],
  ['real bytes', realBytes],
])('conformance with contents of %s', (_name, make) => {
  for (const { name, run } of sgxHardwareCases(make)) it(name, run);
});
