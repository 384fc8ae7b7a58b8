import type { HardwareModel } from '@epckit/hardware';

/**
 * Lets `note` hear the SECINFO of EMODPR and EMODT before they are executed: records say what was asked for, and
 * trace points do not.
 */
export function notingSecInfo(hardware: HardwareModel, note: (secinfo: number) => void): HardwareModel {
  const emodpr = hardware.emodpr.bind(hardware);
  const emodt = hardware.emodt.bind(hardware);
  hardware.emodpr = (cpu, page, secinfo) => {
    note(secinfo);
    return emodpr(cpu, page, secinfo);
  };
  hardware.emodt = (cpu, page, secinfo) => {
    note(secinfo);
    return emodt(cpu, page, secinfo);
  };
  return hardware;
}
