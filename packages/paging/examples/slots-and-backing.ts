import { createMachine } from '@epckit/machine';
import { createBackingStore, createVersionSlots } from '@epckit/paging';

const machine = createMachine({ cpus: [{ node: 0 }] });
const reclaimer = machine.createThread({ name: 'reclaimer', cpu: 0 });

const slots = createVersionSlots();
slots.addPage(40); // EPC page 40 is the first version array page
const backing = createBackingStore({ pageCount: 64 }, { probe: null, owner: 1 });
const written = { contents: 7, secinfo: 0x203, enclaveId: 1, linearPage: 3, macLow: 1, macHigh: 2 };

// Enclave page 3 leaves the EPC: backing first, because it may fail, then slot, EWB, contents.
machine.run(reclaimer, backing.reserve(reclaimer, 3));
const slot = slots.take();
backing.store(3, written);
console.log(slot, slots.pageOf(slot), backing.presentPages());

// It comes back: contents, ELDU, truncation, slot.
const read = { ...written, contents: 0 };
backing.fetch(3, read);
backing.truncate(reclaimer, 3, () => false);
slots.releaseLoaded(slot);
console.log(read.contents, backing.presentPages());
