/**
 * Calls of the driver into the rest of the kernel that can fail for want of memory: `kmalloc` (small buffers and
 * structures), `xa` (the page array), `shmem_file` (the backing file itself), `pfn` (a page-table entry),
 * `mmu_notifier` (its registration).
 */
export type KernelCall = 'kmalloc' | 'xa' | 'shmem_file' | 'pfn' | 'mmu_notifier';

/** Says which calls fail. Asked once per call, in the order in which Linux makes them. */
export interface KernelFailures {
  /** Does this call fail? */
  fails(call: KernelCall): boolean;
}
