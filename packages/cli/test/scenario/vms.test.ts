import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/index.js';
import { checkEpcFits } from '../../src/run/epc-fit.js';
import { loadTraces } from '../../src/run/load-traces.js';
import { call, temporaryFolder } from '../captured-io.js';

const machine = 'machine: { cpus: 4, epc: 4MiB }';
const generator = 'generator: { kind: uniform, runs: 200, pages: 60 }';
const app = `{ name: app, ${generator} }`;

/** A scenario with these virtual machines, one per line from line 3 on. */
function withVms(vms: readonly string[], more = ''): string {
  return [machine, 'vms:', ...vms.map((vm) => `  - ${vm}`), more].join('\n');
}

function write(text: string): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'x.yaml'), text);
  return folder;
}

describe('vms of a scenario', () => {
  it('spells out every default', async () => {
    const folder = write(withVms([`{ name: a, epc: [{ size: 1MiB }], enclaves: [${app}] }`]));
    const { scenario } = await loadScenario('x.yaml', folder);
    expect(scenario.hostReclaim).toBe(true);
    expect(scenario.vms).toEqual([
      {
        ...{ name: 'a', cpus: [0], cgroup: null },
        sections: [{ pageCount: 256, node: 0, isPreallocated: false }],
        reclaim: { batchPages: 16, lowPages: 32, highPages: 64 },
        enclaves: [
          {
            ...{ name: 'app', trace: 'generated: uniform, vm 0, enclave 0', runs: null, repeat: 1 },
            ...{ vcpus: [0], deal: 'slices', measured: true, startCycles: 0, stopCycles: null },
          },
        ],
      },
    ]);
  });

  it('takes the options of QEMU, and puts instances behind the enclaves of the host', async () => {
    const qemu =
      '"-object memory-backend-epc,id=a,size=1M,prealloc=on -object memory-backend-epc,id=b,size=64K -M sgx-epc.0.memdev=b,sgx-epc.1.memdev=a,sgx-epc.1.node=1"';
    const two = `{ name: app, threads: 2, ${generator}, startJitter: 1ms, stop: 2ms, runs: 9 }`;
    const folder = write(
      withVms(
        [
          `{ name: a, instances: 1, vcpus: 2, qemu: ${qemu}, enclaves: [${two}, ${app.replace('app', 'b')}] }`,
        ],
        `enclaves: [{ name: native, ${generator} }]\npreset: linux-6\nseed: 3`,
      ),
    );
    const { scenario, generators, vmEntries } = await loadScenario('x.yaml', folder);
    const [vm] = scenario.vms ?? [];
    expect(vm?.cpus).toEqual([1, 2]);
    expect(vm?.sections).toEqual([
      { pageCount: 16, node: 0, isPreallocated: false },
      { pageCount: 256, node: 1, isPreallocated: true },
    ]);
    expect(scenario.hostReclaim).toBe(false);
    expect(vm?.enclaves.map(({ vcpus }) => vcpus)).toEqual([[0, 1], [0]]);
    expect(vm?.enclaves[0]).toMatchObject({ runs: 9, stopCycles: 7_000_000 });
    expect([...generators.keys()]).toContain('generated: uniform, vm 0, enclave 1');
    expect(vmEntries).toEqual([0]);
  });

  it('gives instances different names, CPUs, references and starts', async () => {
    const jittered = `{ name: app, ${generator}, startJitter: 10ms }`;
    const folder = write(
      withVms([`{ name: a, instances: 3, epc: [{ size: 1MiB }], enclaves: [${jittered}] }`]),
    );
    const { scenario, generators } = await loadScenario('x.yaml', folder);
    const vms = scenario.vms ?? [];
    expect(vms.map(({ name, cpus }) => [name, cpus[0]])).toEqual([
      ['a 0', 0],
      ['a 1', 1],
      ['a 2', 2],
    ]);
    expect(new Set(vms.map(({ enclaves }) => enclaves[0]?.startCycles)).size).toBe(3);
    expect(new Set([...generators.values()].map(({ seed }) => seed)).size).toBe(3);
  });
});

const epc = 'epc: [{ size: 1MiB }]';
/** Case, virtual machines, what follows them, message, part of the hint. */
const bad: readonly (readonly [string, readonly string[], string, string, string])[] = [
  ['nothing to run', [], '', 'x.yaml:2:5: vms must be a list', ''],
  ['no EPC', [`{ name: a, enclaves: [${app}] }`], '', 'x.yaml:3:5: vms[0] has no EPC.', 'qemu'],
  [
    'EPC twice',
    [
      `{ name: a, ${epc}, qemu: "-object memory-backend-epc,id=m,size=1M -M sgx-epc.0.memdev=m", enclaves: [${app}] }`,
    ],
    '',
    'x.yaml:3:39: vms[0].qemu and vms[0].epc exclude each other.',
    'Keep one',
  ],
  [
    'QEMU options with a backend that nobody uses',
    [`{ name: a, qemu: "-object memory-backend-epc,id=m,size=1M", enclaves: [${app}] }`],
    '',
    "x.yaml:3:22: vms[0].qemu is refused: QEMU option 'm': no section uses memory backend 'm'.",
    'sgx-epc.0.memdev',
  ],
  [
    'QEMU options without EPC',
    [`{ name: a, qemu: "-m 4G", enclaves: [${app}] }`],
    '',
    'x.yaml:3:22: vms[0].qemu describes no EPC section.',
    '',
  ],
  [
    'no enclaves',
    [`{ name: a, ${epc}, enclaves: [] }`],
    '',
    'x.yaml:3:49: vms[0].enclaves must not be empty.',
    '',
  ],
  [
    'a key of another place',
    [`{ name: a, ${epc}, enclaves: [{ name: app, cgroup: /a, ${generator} }] }`],
    '',
    'x.yaml:3:63: vms[0].enclaves[0].cgroup is not a known key.',
    '',
  ],
  [
    'two sources of references',
    [`{ name: a, ${epc}, enclaves: [{ name: app, trace: t, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].trace and vms[0].enclaves[0].generator exclude each other.',
    'Keep trace',
  ],
  [
    'a virtual CPU that is not there',
    [`{ name: a, ${epc}, enclaves: [{ name: app, vcpu: 1, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].vcpu is 1, but the guest has 1 virtual CPU.',
    'more vcpus',
  ],
  [
    'more threads than virtual CPUs',
    [`{ name: a, ${epc}, enclaves: [{ name: app, threads: 2, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].threads is 2, but the guest has 1 virtual CPU.',
    'as many vcpus',
  ],
  [
    'more CPUs than the machine has',
    [`{ name: a, instances: 5, ${epc}, enclaves: [${app}] }`],
    '',
    'x.yaml:3:5: vms[0]: a virtual CPU of "a 4" is on CPU 4, but the machine has 4 CPUs.',
    'Raise machine.cpus',
  ],
  [
    'a CPU for two',
    [
      `{ name: a, cpus: [1], ${epc}, enclaves: [${app}] }`,
      `{ name: b, cpus: [1], ${epc}, enclaves: [${app}] }`,
    ],
    '',
    'x.yaml:4:22: vms[1].cpus: a virtual CPU of "b" is on CPU 1, where a virtual CPU of "a" is, too.',
    'CPU of its own',
  ],
  [
    'a list of CPUs for several',
    [`{ name: a, instances: 2, cpus: [1, 2], ${epc}, enclaves: [${app}] }`],
    '',
    'vms[0].instances is 2, but vms[0].cpus lists the CPUs of one.',
    'vcpus instead',
  ],
  [
    'as many CPUs as virtual CPUs',
    [`{ name: a, vcpus: 3, cpus: [1, 2], ${epc}, enclaves: [${app}] }`],
    '',
    'vms[0].cpus lists 2 CPUs for 3 virtual CPUs.',
    'leave vcpus out',
  ],
  [
    'a name twice',
    [`{ name: a, ${epc}, enclaves: [${app}] }`, `{ name: a, ${epc}, enclaves: [${app}] }`],
    '',
    'x.yaml:4:13: vms[1].name is "a", as that of vms[0].',
    'name of its own',
  ],
  [
    'the name of an enclave twice',
    [`{ name: a, ${epc}, enclaves: [${app}, ${app}] }`],
    '',
    'vms[0].enclaves[1].name is "app", as that of vms[0].enclaves[0].',
    'name of its own',
  ],
  [
    'marks in the wrong order',
    [`{ name: a, ${epc}, reclaim: { low: 65 }, enclaves: [${app}] }`],
    '',
    'vms[0].reclaim.low (65 pages) is above vms[0].reclaim.high (64 pages).',
    'low ≤ high',
  ],
  [
    'a group that is not there',
    [`{ name: a, cgroup: /b, ${epc}, enclaves: [${app}] }`],
    '',
    'vms[0].cgroup is /b, but there is no such group.',
    'Add cgroups',
  ],
  [
    'host reclaim that the preset has not',
    [`{ name: a, ${epc}, enclaves: [${app}] }`],
    'preset: linux-6\nhostReclaim: on',
    'x.yaml:5:14: hostReclaim is on, but preset linux-6 takes nothing from guests.',
    'epckit, kvm-oversub',
  ],
  [
    'more for guests than there is',
    [`{ name: a, instances: 4, epc: [{ size: 2MiB }], enclaves: [${app}] }`],
    'hostReclaim: off',
    'x.yaml:1:26: An EPC of 1024 pages is too small to ever run this scenario.',
    'Give at least 2048 pages',
  ],
  [
    'less for a guest than its enclave needs',
    [`{ name: a, epc: [{ size: 64 pages }], enclaves: [${app}] }`],
    '',
    "An EPC of 64 pages for a guest with enclave 'app' is too small to ever run this scenario.",
    'Give at least 68 pages',
  ],
  [
    'more runs than there are',
    [`{ name: a, ${epc}, enclaves: [{ name: app, runs: 201, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].runs is 201, but the trace has 200 runs.',
    'Leave runs out',
  ],
];

describe('a scenario with vms that contradicts itself is refused', () => {
  it.each(bad)('%s', async (_case, vms, more, message, hint) => {
    const { exitCode, stderr, stdout } = await call(['run', 'x.yaml'], { cwd: write(withVms(vms, more)) });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });

  it('host reclaim without guests', async () => {
    const text = `${machine}\nhostReclaim: off\nenclaves: [${app}]\n`;
    const { stderr } = await call(['run', 'x.yaml'], { cwd: write(text) });
    expect(stderr).toContain('x.yaml:2:1: hostReclaim is given, but the scenario has no vms.');
  });
});

describe('a scenario with vms', () => {
  it('shows its guests', async () => {
    const folder = write(
      withVms([`{ name: a, ${epc}, enclaves: [${app}] }`], `enclaves: [{ name: native, ${generator} }]`),
    );
    const { exitCode, stdout } = await call(['run', 'x.yaml'], { cwd: folder });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/a: guest with 256 pages = 1 MiB, 1 enclave on CPU 1/);
    expect(stdout).toMatch(/What happened to guests \(the host takes pages from them\)/);
    expect(stdout).toMatch(/EPC pages given +256/);
    expect(stdout).toMatch(/a +app +\d+ +\d+ +0 +0 /);
  });

  it('needs no room for the host if nobody is reclaimed', async () => {
    const folder = write(
      withVms([`{ name: a, instances: 4, ${epc}, enclaves: [${app}] }`], 'hostReclaim: off'),
    );
    const loaded = await loadScenario('x.yaml', folder);
    checkEpcFits(loaded, await loadTraces(loaded, folder, () => {}));
  });
});
