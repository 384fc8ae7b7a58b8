import type { AddressSpace } from '@epckit/interface';

/** A process: a name and an address space. */
export interface Process {
  /** Name for reports. */
  readonly name: string;
  /** Its address space. */
  readonly mm: AddressSpace;
}
