/**
 * Order-critical code of the misc controller, to be subclassed.
 *
 * @module
 */
export type { MiscChargeParts } from './charge.js';
export { MiscCharge } from './charge.js';
