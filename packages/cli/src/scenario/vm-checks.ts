import { formatPath, type KeyPath } from './key-path.js';
import { cpuNodesOf, placeThreads } from './placement.js';
import { plural } from './plural.js';
import type { Problem } from './problem.js';
import type { ScenarioFile } from './schema.js';
import { checkSource } from './sources.js';
import { checkThreadList } from './thread-list.js';
import type { GuestEnclaveFile, VmFile } from './vm-schema.js';
import { canReclaimGuests, hasHostReclaim, placeVms, vcpuCount } from './vms.js';

/** Finds virtual machines that contradict themselves, or the rest of the scenario. */
export function vmChecks(file: ScenarioFile): Problem[] {
  return [
    ...checkPresence(file),
    ...checkHostReclaim(file),
    ...checkVersionArrays(file),
    ...checkVmNames(file),
    ...file.vms.flatMap((vm, index) => checkVm(vm, ['vms', index])),
    ...checkPlaces(file),
  ];
}

/** There must be something to run. */
function checkPresence({ enclaves, vms }: ScenarioFile): Problem[] {
  if (enclaves.length + vms.length > 0) return [];
  const hint = 'Add it: the enclaves, each with a trace of what its program touches. Or vms with enclaves.';
  return [{ path: ['enclaves'], at: 'value', message: 'enclaves is missing.', hint }];
}

function checkHostReclaim({ vms, hostReclaim, preset }: ScenarioFile): Problem[] {
  if (hostReclaim === undefined) return [];
  if (vms.length === 0) {
    const message = 'hostReclaim is given, but the scenario has no vms.';
    return [{ path: ['hostReclaim'], at: 'key', message, hint: 'Add vms, or leave hostReclaim out.' }];
  }
  if (hostReclaim === 'off' || canReclaimGuests(preset)) return [];
  const message = `hostReclaim is on, but preset ${preset} takes nothing from guests.`;
  const hint = 'Presets with host reclaim: epckit, kvm-oversub.';
  return [{ path: ['hostReclaim'], at: 'value', message, hint }];
}

/** Version array pages of the host are for pages that it takes from guests. */
function checkVersionArrays(file: ScenarioFile): Problem[] {
  if (file.hostVersionArrays === 'fixed' || (file.vms.length > 0 && hasHostReclaim(file))) return [];
  const message = 'hostVersionArrays is evictable, but the host takes nothing from guests.';
  const hint = 'Add vms and hostReclaim: on, or leave hostVersionArrays out.';
  return [{ path: ['hostVersionArrays'], at: 'value', message, hint }];
}

/** Names are unique among virtual machines and enclaves of the host. */
function checkVmNames({ vms, enclaves }: ScenarioFile): Problem[] {
  const names = placeVms(vms, 0).map((instances) => instances.map(({ name }) => name));
  const path = (index: number) => ['vms', index, 'name'];
  return names.flatMap((own, index): Problem[] => {
    const hint = 'Give each virtual machine a name of its own.';
    const other = names.findIndex((others) => others.some((name) => own.includes(name)));
    const enclave = enclaves.findIndex(({ name }) => own.includes(name));
    const place = other < index ? `vms[${other}]` : enclave >= 0 ? `enclaves[${enclave}]` : null;
    if (place === null) return [];
    const message = `vms[${index}].name is "${vms[index]?.name}", as that of ${place}.`;
    return [{ path: path(index), at: 'value', message, hint }];
  });
}

function checkVm(vm: VmFile, path: KeyPath): Problem[] {
  return [
    ...checkEpc(vm, path),
    ...checkCpuKeys(vm, path),
    ...checkMarks(vm, path),
    ...checkGuestNames(vm, path),
    ...vm.enclaves.flatMap((enclave, index) => checkGuestSources(enclave, [...path, 'enclaves', index])),
    ...vm.enclaves.flatMap((enclave, index) => {
      return checkGuestThreads(enclave, [...path, 'enclaves', index], vcpuCount(vm));
    }),
  ];
}

function checkEpc({ epc, qemu }: VmFile, path: KeyPath): Problem[] {
  const name = formatPath(path);
  if (epc === undefined && qemu === undefined) {
    const hint = 'Add epc, such as [{ size: 64MiB }], or qemu with the options of its command line.';
    return [{ path, at: 'value', message: `${name} has no EPC.`, hint }];
  }
  if (epc === undefined || qemu === undefined) return [];
  const message = `${name}.qemu and ${name}.epc exclude each other.`;
  return [{ path: [...path, 'qemu'], at: 'key', message, hint: 'Keep one of them.' }];
}

/** vcpus and cpus say the same in different ways; a list is for one virtual machine. */
function checkCpuKeys({ vcpus, cpus, instances }: VmFile, path: KeyPath): Problem[] {
  if (cpus === undefined) return [];
  const name = formatPath(path);
  const at = [...path, 'cpus'];
  if (instances > 1) {
    const message = `${name}.instances is ${instances}, but ${name}.cpus lists the CPUs of one.`;
    return [{ path: at, at: 'key', message, hint: 'Give vcpus instead, or an entry per virtual machine.' }];
  }
  if (vcpus === undefined || vcpus === cpus.length) return [];
  const message = `${name}.cpus lists ${plural(cpus.length, 'CPU')} for ${plural(vcpus, 'virtual CPU')}.`;
  return [{ path: at, at: 'value', message, hint: 'Give each virtual CPU a CPU, or leave vcpus out.' }];
}

function checkMarks({ reclaim: { low, high } }: VmFile, path: KeyPath): Problem[] {
  if (low <= high) return [];
  const name = formatPath([...path, 'reclaim']);
  const message = `${name}.low (${low} pages) is above ${name}.high (${high} pages).`;
  const hint = 'The daemon of the guest works until high is reached; give low ≤ high.';
  return [{ path: [...path, 'reclaim', 'low'], at: 'value', message, hint }];
}

function checkGuestNames({ enclaves }: VmFile, path: KeyPath): Problem[] {
  return enclaves.flatMap(({ name }, index): Problem[] => {
    const first = enclaves.findIndex((other) => other.name === name);
    if (first === index) return [];
    const own = [...path, 'enclaves', index, 'name'];
    const message = `${formatPath(own)} is "${name}", as that of ${formatPath([...path, 'enclaves', first])}.`;
    return [{ path: own, at: 'value', message, hint: 'Give each enclave of a guest a name of its own.' }];
  });
}

/** Every enclave of a guest, or each of its threads, has one source of references. */
function checkGuestSources(enclave: GuestEnclaveFile, path: KeyPath): Problem[] {
  const { threads } = enclave;
  if (typeof threads !== 'object') return checkSource(enclave, path);
  return threads.flatMap((thread, index) => checkSource(thread, [...path, 'threads', index]));
}

/** Keys of an enclave of a guest that a list of threads excludes, and those of a thread. */
const keysOfThreads = { trace: 'trace', generator: 'generator', vcpu: 'vcpu', vcpus: 'vcpu' };

/** threads, vcpu and vcpus fit to each other, and threads are on virtual CPUs that exist. @param count - of these */
function checkGuestThreads(enclave: GuestEnclaveFile, path: KeyPath, count: number): Problem[] {
  const { threads, vcpu, vcpus } = enclave;
  if (typeof threads === 'object') {
    const given = threads.map((thread, index) => [thread.vcpu, [...path, 'threads', index, 'vcpu']] as const);
    const list = checkThreadList(enclave, path, keysOfThreads);
    return [...list, ...given.flatMap(([one, at]) => checkVcpu(one, at, count))];
  }
  const name = formatPath(path);
  if (vcpus !== undefined) {
    const at = [...path, 'vcpus'];
    if (vcpu !== undefined) {
      const message = `${name}.vcpus and ${name}.vcpu exclude each other.`;
      const hint = 'Keep vcpu for threads on neighbouring virtual CPUs, or vcpus for any others.';
      return [{ path: at, at: 'key', message, hint }];
    }
    if (threads !== undefined && threads !== vcpus.length) {
      const message = `${name}.vcpus lists ${plural(vcpus.length, 'virtual CPU')} for ${plural(threads, 'thread')}.`;
      return [
        { path: at, at: 'value', message, hint: 'Give each thread a virtual CPU, or leave threads out.' },
      ];
    }
    return vcpus.flatMap((one, index) => checkVcpu(one, [...at, index], count));
  }
  if (threads === undefined || threads <= count) return checkVcpu(vcpu, [...path, 'vcpu'], count);
  const message = `${name}.threads is ${threads}, but the guest has ${plural(count, 'virtual CPU')}.`;
  const hint = 'Give the guest as many vcpus, or list vcpus here: threads of one follow each other.';
  return [{ path: [...path, 'threads'], at: 'value', message, hint }];
}

/** @param vcpu - as given @param path - of its key @param count - virtual CPUs of the guest */
function checkVcpu(vcpu: number | undefined, path: KeyPath, count: number): Problem[] {
  if (vcpu === undefined || vcpu < count) return [];
  const message = `${formatPath(path)} is ${vcpu}, but the guest has ${plural(count, 'virtual CPU')}.`;
  return [{ path, at: 'value', message, hint: `Give 0 to ${count - 1}, or more vcpus.` }];
}

/** Every virtual CPU has a CPU that exists, and that no other one of its virtual machine has. @returns the first problem */
function checkPlaces(file: ScenarioFile): Problem[] {
  const native = placeThreads(file.enclaves).flat();
  const cpuCount = cpuNodesOf(file.machine).length;
  for (const [index, instances] of placeVms(file.vms, nextCpu(native)).entries()) {
    const path = ['vms', index, ...(file.vms[index]?.cpus === undefined ? [] : ['cpus'])];
    for (const { name, cpus } of instances) {
      const problem = checkPlace(name, cpus, cpuCount);
      if (problem === null) continue;
      return [{ path, at: 'value', message: `${formatPath(path)}: ${problem.message}`, hint: problem.hint }];
    }
  }
  return [];
}

/** @param cpus - of the virtual CPUs of one virtual machine */
function checkPlace(
  name: string,
  cpus: readonly number[],
  cpuCount: number,
): Pick<Problem, 'message' | 'hint'> | null {
  const missing = cpus.find((cpu) => cpu >= cpuCount);
  if (missing !== undefined) {
    const has = `the machine has ${plural(cpuCount, 'CPU')}`;
    const message = `a virtual CPU of "${name}" is on CPU ${missing}, but ${has}.`;
    return { message, hint: 'Raise machine.cpus, or list cpus: virtual machines can share them.' };
  }
  const twice = cpus.find((cpu, index) => cpus.indexOf(cpu) !== index);
  if (twice === undefined) return null;
  const message = `two virtual CPUs of "${name}" are on CPU ${twice}.`;
  const hint = 'Only virtual CPUs of different virtual machines, and enclaves of the host, share a CPU.';
  return { message, hint };
}

/** First CPU behind those that enclaves of the host are on. */
export function nextCpu(cpus: readonly number[]): number {
  return cpus.reduce((next, cpu) => Math.max(next, cpu + 1), 0);
}
