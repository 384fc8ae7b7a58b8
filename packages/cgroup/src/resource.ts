/**
 * Scalar resources of the misc controller (Linux `enum misc_res_type`), in the order in which every file lists
 * them. A stack is composed with some of them; the others do not exist for it, as if they were not compiled in.
 *
 * Mainline has no `sgx_epc`: the series for EPC cgroups adds it.
 */
export const Resource = {
  /** address space ids of AMD SEV guests */
  SEV: 0,
  /** address space ids of AMD SEV-ES guests */
  SEV_ES: 1,
  /** host key ids of Intel TDX guests */
  TDX: 2,
  /** bytes of Enclave Page Cache */
  SGX_EPC: 3,
} as const;
/** Value of {@link Resource}. */
export type ResourceId = (typeof Resource)[keyof typeof Resource];

/** Names in files, by {@link Resource} (Linux `misc_res_name`). */
export const resourceNames = ['sev', 'sev_es', 'tdx', 'sgx_epc'] as const;
/** Name of a resource as files have it, such as `sgx_epc`. */
export type ResourceName = (typeof resourceNames)[number];

/** Resource of a name, or undefined; case matters. */
export function resourceOf(name: string): ResourceId | undefined {
  const index = (resourceNames as readonly string[]).indexOf(name);
  return index < 0 ? undefined : (index as ResourceId);
}
