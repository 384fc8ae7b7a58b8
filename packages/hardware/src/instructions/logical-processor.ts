/**
 * State of one logical processor that decides whether an instruction runs at all (SDM vol. 3D, ENCLS, ENCLV, ENCLU).
 * Software changes it freely between instructions.
 */
export interface LogicalProcessor {
  /** Current privilege level. Entries need 3, ENCLS and ENCLV need 0. */
  cpl: 0 | 1 | 2 | 3;
  /** CR0.PE. */
  isProtected: boolean;
  /** CR0.PG. */
  isPaged: boolean;
  /** CR0.TS. */
  isTaskSwitched: boolean;
  /** CR0.NE. */
  reportsNumericErrors: boolean;
  /** RFLAGS.VM: virtual-8086 mode. */
  isVirtual8086: boolean;
  /** System management mode. */
  isInSmm: boolean;
  /** In a transaction. */
  isInTransaction: boolean;
  /** Compatibility mode; ENCLV looks at it. */
  isCompatibility: boolean;
  /** IA32_FEATURE_CONTROL.LOCK. */
  isFeatureLocked: boolean;
  /** IA32_FEATURE_CONTROL bit 18. */
  isSgxEnabled: boolean;
  /** VMX operation. */
  vmx: 'off' | 'root' | 'non-root';
  /** "ENCLS exiting": the bitmap of leaves, bit 63 also for all above; null: the control is 0. */
  enclsExiting: bigint | null;
  /** "ENCLV exiting": the bitmap of leaves; null: the control is 0 and ENCLV is invalid in the guest. */
  enclvExiting: bigint | null;
  /** "enable EPC virtualization extensions"; means something in non-root operation only. */
  hasEpcExtensions: boolean;
}

/** A processor whose kernel has enabled SGX, outside VMX operation, at `cpl` 0. */
export function createLogicalProcessor(state: Partial<LogicalProcessor> = {}): LogicalProcessor {
  return {
    cpl: 0,
    isProtected: true,
    isPaged: true,
    isTaskSwitched: false,
    reportsNumericErrors: true,
    isVirtual8086: false,
    isInSmm: false,
    isInTransaction: false,
    isCompatibility: false,
    isFeatureLocked: true,
    isSgxEnabled: true,
    vmx: 'off',
    enclsExiting: null,
    enclvExiting: null,
    hasEpcExtensions: false,
    ...state,
  };
}
